// Keeps a reader's place. Dash makes what the server answers anew even where most is as it was: what the reader
// had opened would close by itself, and the focus and the place in a long table would be lost.
(function () {
  "use strict";
  const FOLDS = "details[data-fold]";
  const FOCUSED = "a[href], button, summary, input, [tabindex='0']"; // where a reader goes; headings are only led to

  let focused = null; // {element, mark, n}: the n-th of those of one mark had the focus
  const scrolled = new WeakMap(); // region that scrolls inside a fold -> how far

  /** What an element has in common with the one that takes its place. */
  function mark(element) {
    const fold = element.closest(FOLDS);
    const own = element.getAttribute("href") || element.dataset.png || element.id || element.className;
    return [element.tagName, fold ? fold.dataset.fold : "", fold ? "" : own].join(" ");
  }

  const alike = (home, wanted) => [...home.querySelectorAll(FOCUSED)].filter((element) => mark(element) === wanted);

  /** The folds among elements and in them. */
  function folds(elements) {
    return elements.flatMap((element) => [...(element.matches(FOLDS) ? [element] : []), ...element.querySelectorAll(FOLDS)]);
  }

  function open(fold, before) {
    fold.open = true;
    fold.dispatchEvent(new Event("toggle")); // its own comes too late to be there when it is next painted
    const [old, region] = [before, fold].map((it) => it.querySelector(":scope > [tabindex]"));
    if (region && scrolled.has(old)) region.scrollTo(scrolled.get(old));
  }

  /**
   * From now on, what takes the place of something in `home` is as open as that was.
   *
   * `about` tells what the content is about, if anything: that of something else begins as it comes.
   */
  window.tsuji.keepPlace = (home, about) => {
    const opened = new Map(); // key -> the fold that was open when it went
    let last = null;
    new MutationObserver((changes) => {
      const elements = (which) => changes.flatMap((change) => [...change[which]]).filter((node) => node.nodeType === Node.ELEMENT_NODE);
      const gone = elements("removedNodes");
      const came = elements("addedNodes").filter((element) => element.isConnected);
      const now = about();
      if (came.length && now && now !== last) {
        last = now;
        opened.clear();
        return;
      }
      for (const fold of folds(gone).filter(({ isConnected }) => !isConnected)) {
        if (fold.open) opened.set(fold.dataset.fold, fold);
        else opened.delete(fold.dataset.fold);
      }
      for (const fold of folds(came)) if (opened.has(fold.dataset.fold)) open(fold, opened.get(fold.dataset.fold));
      const lost = focused && gone.some((node) => node.contains(focused.element)) && !focused.element.isConnected;
      if (!lost || document.activeElement !== document.body) return;
      const heir = alike(home, focused.mark)[focused.n];
      if (heir) heir.focus({ preventScroll: true });
    }).observe(home, { childList: true, subtree: true });
    home.addEventListener("focusin", ({ target }) => {
      focused = target.matches(FOCUSED) ? { element: target, mark: mark(target), n: alike(home, mark(target)).indexOf(target) } : null;
    });
  };

  // Whoever points at something else has left what had the focus.
  document.addEventListener("pointerdown", ({ target }) => (focused = focused && focused.element.contains(target) ? focused : null), true);
  document.addEventListener("focusin", () => (focused = null), true); // before it comes to a home
  document.addEventListener(
    "scroll",
    ({ target }) => target.closest && target.closest(FOLDS) && scrolled.set(target, { top: target.scrollTop, left: target.scrollLeft, behavior: "instant" }),
    true,
  );
})();
