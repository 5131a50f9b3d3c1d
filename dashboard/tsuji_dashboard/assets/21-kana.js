// Japanese names as they sound: kana and Latin letters, with or without long vowels, come to the same.
(function () {
  "use strict";
  const ROWS = {
    あいうえお: "a i u e o",
    かきくけこ: "ka ki ku ke ko",
    がぎぐげご: "ga gi gu ge go",
    さしすせそ: "sa shi su se so",
    ざじずぜぞ: "za ji zu ze zo",
    たちつてと: "ta chi tsu te to",
    だぢづでど: "da ji zu de do",
    なにぬねの: "na ni nu ne no",
    はひふへほ: "ha hi fu he ho",
    ばびぶべぼ: "ba bi bu be bo",
    ぱぴぷぺぽ: "pa pi pu pe po",
    まみむめも: "ma mi mu me mo",
    らりるれろ: "ra ri ru re ro",
    やゆよわをんゔ: "ya yu yo wa o n vu",
  };
  const SAID = new Map(Object.entries(ROWS).flatMap(([signs, said]) => said.split(" ").map((one, i) => [signs[i], one])));
  const SMALL = { ゃ: "a", ゅ: "u", ょ: "o", ぁ: "a", ぃ: "i", ぅ: "u", ぇ: "e", ぉ: "o" };
  const KINDS = { 市: ["shi"], 区: ["ku"], 町: ["cho", "machi"], 村: ["mura", "son"] };
  const ENGLISH = /^(.+) (?:City|Ward|Town|Village)(?:, (.+))?$/;

  /** Hiragana in Hepburn's system; whatever else stands there stays. */
  function romanised(text) {
    let said = "";
    for (const sign of text) {
      const glide = SMALL[sign];
      if (glide && /[iueo]$/.test(said)) {
        const stem = said.slice(0, -1);
        const soft = "ゃゅょ".includes(sign) && said.endsWith("i") && !/(?:sh|ch|j)$/.test(stem);
        said = stem + (soft ? "y" : "") + glide;
      } else if (sign === "っ") said += "*";
      else said += SAID.get(sign) || sign;
    }
    return said.replace(/\*(?=ch)/g, "t").replace(/\*(?=([a-z]))/g, "$1").replace(/[*ー]/g, "");
  }

  /** What sounds alike written alike: long vowels once, n before whatever it stands before. */
  const level = (text) =>
    text
      .normalize("NFD")
      .replace(/[\u0300-\u036f]/g, "") // macrons and circumflexes; marks of kana stay
      .normalize("NFC")
      .replace(/['’‘`]/g, "")
      .replace(/m(?=[bp])/g, "n")
      .replace(/oh(?![aeiouy])/g, "o")
      .replace(/o[ou]+/g, "o")
      .replace(/uu+/g, "u");

  /** Names alike however they are typed: width, case, katakana for hiragana (ヶ as ケ), spaces and signs between words. */
  const plain = (text) =>
    (text || "")
      .normalize("NFKC")
      .toLowerCase()
      .replace(/[\u30a1-\u30f6]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) - 0x60))
      .replace(/ゖ/g, "け")
      .replace(/[\s・·,.\-–()]/g, "");

  /** How a text sounds; nothing where it can't be told, as of kanji. */
  function sound(text) {
    const said = level(romanised(plain(text)));
    return /^[a-z0-9]+$/.test(said) ? said : "";
  }

  /** The readings of an area: its English name without City or Ward, with what its Japanese one ends in. */
  function readings({ name, name_en: english }) {
    const [, own, of] = ENGLISH.exec(english || "") || [];
    if (!own) return [];
    const city = of ? `${of}shi` : "";
    return (KINDS[(name || "").slice(-1)] || []).flatMap((ending) => [`${own}${ending}`, ...(city ? [`${city}${own}${ending}`] : [])]);
  }

  window.tsuji.kana = { plain, sound, readings };
})();
