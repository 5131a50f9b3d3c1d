"""Municipality codes and the prefectures that they begin with."""

import re
import unicodedata

from tsuji_platform.contract.rejection import quote

PREFECTURES: dict[str, tuple[str, str]] = {
    f"{number:02d}": (name, name_en)
    for number, (name, name_en) in enumerate(
        (
            ("北海道", "Hokkaido"),
            ("青森県", "Aomori"),
            ("岩手県", "Iwate"),
            ("宮城県", "Miyagi"),
            ("秋田県", "Akita"),
            ("山形県", "Yamagata"),
            ("福島県", "Fukushima"),
            ("茨城県", "Ibaraki"),
            ("栃木県", "Tochigi"),
            ("群馬県", "Gunma"),
            ("埼玉県", "Saitama"),
            ("千葉県", "Chiba"),
            ("東京都", "Tokyo"),
            ("神奈川県", "Kanagawa"),
            ("新潟県", "Niigata"),
            ("富山県", "Toyama"),
            ("石川県", "Ishikawa"),
            ("福井県", "Fukui"),
            ("山梨県", "Yamanashi"),
            ("長野県", "Nagano"),
            ("岐阜県", "Gifu"),
            ("静岡県", "Shizuoka"),
            ("愛知県", "Aichi"),
            ("三重県", "Mie"),
            ("滋賀県", "Shiga"),
            ("京都府", "Kyoto"),
            ("大阪府", "Osaka"),
            ("兵庫県", "Hyogo"),
            ("奈良県", "Nara"),
            ("和歌山県", "Wakayama"),
            ("鳥取県", "Tottori"),
            ("島根県", "Shimane"),
            ("岡山県", "Okayama"),
            ("広島県", "Hiroshima"),
            ("山口県", "Yamaguchi"),
            ("徳島県", "Tokushima"),
            ("香川県", "Kagawa"),
            ("愛媛県", "Ehime"),
            ("高知県", "Kochi"),
            ("福岡県", "Fukuoka"),
            ("佐賀県", "Saga"),
            ("長崎県", "Nagasaki"),
            ("熊本県", "Kumamoto"),
            ("大分県", "Oita"),
            ("宮崎県", "Miyazaki"),
            ("鹿児島県", "Kagoshima"),
            ("沖縄県", "Okinawa"),
        ),
        start=1,
    )
}
"""Japanese and English name by two-digit code (JIS X 0401)."""

_CODE = re.compile(r"[0-9]{5}")


def municipality_code(text: str) -> str:
    """Read a five-digit municipality code (JIS X 0402).

    Four digits are taken to have lost their leading zero; six digits end in a check digit, which
    must be right.

    Raises:
        ValueError: not such a code; the message says why.
    """
    digits = unicodedata.normalize("NFKC", text).strip()
    code = digits.zfill(5)
    if len(digits) == 6 and _CODE.fullmatch(digits[:5]):
        code = digits[:5]
        if digits[5] != check_digit(code):
            raise ValueError(
                f"code {quote(text)} should end in the check digit {check_digit(code)}"
            )
    if len(digits) < 4 or not _CODE.fullmatch(code):
        raise ValueError(f"code {quote(text)} is not five digits")
    if code[:2] not in PREFECTURES:
        raise ValueError(f"code {quote(text)} begins with no prefecture's number (01 to 47)")
    return code


def check_digit(code: str) -> str:
    """Sixth digit of a municipality code: modulus 11 with the weights 6 to 2."""
    total = sum(int(digit) * weight for digit, weight in zip(code, range(6, 1, -1), strict=True))
    return str((11 - total % 11) % 10)
