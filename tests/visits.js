// What a visit asks of a page, and how it makes the page small for axe.
window.visit = {
  async look() {
    const all = (selector) => [...document.querySelectorAll(selector)];
    const start = (element) => element.outerHTML.slice(0, 100);
    for (let y = 0; y < document.body.scrollHeight; y += 800) scrollTo(0, y);
    scrollTo(0, 0);
    this.openFolded(true);
    await Promise.all(all("img").map((img) => img.decode().catch(() => null)));
    const width = document.scrollingElement.scrollWidth;
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, (node) =>
      node.parentElement.closest("script, style, pre, code, mjx-container")
        ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    let text = "";
    while (words.nextNode()) text += words.currentNode.data;
    const found = {
      text,
      formulas: all(".math").length,
      typeset: all("mjx-container").length,
      math_errors: all("mjx-merror, [data-mjx-error]").map((node) => node.textContent),
      alts: all("article img").map((img) => img.alt),
      broken: all("img").filter((img) => !img.naturalWidth).map((img) => img.src),
      width,
      too_wide: all(width > innerWidth ? "body *" : "none")
          .filter((it) => it.getBoundingClientRect().right > innerWidth)
          .map(start),
      scrolls_for_mice_only: all("article *")
          .filter((it) => it.scrollWidth > it.clientWidth + 1)
          .filter((it) => ["auto", "scroll"].includes(getComputedStyle(it).overflowX))
          .filter((it) => it.tabIndex < 0 && !it.querySelector("a, button, [tabindex='0']"))
          .map(start),
    };
    this.openFolded(false);
    return found;
  },

  openFolded(open) {
    document.querySelectorAll("article details.hide").forEach((it) => (it.open = open));
  },

  shownFolded() {
    return [...document.querySelectorAll("article details.hide pre")]
        .map((code) => code.checkVisibility({ visibilityProperty: true }));
  },

  awaitResize() {
    this.resized = new Promise((resolve) => addEventListener("resize", () => resolve(null)));
  },

  shownSolutions() {
    document.getAnimations().forEach((animation) => animation.finish());
    return [...document.querySelectorAll(".solution.dropdown .solution-content")]
        .map((body) => body.checkVisibility({ visibilityProperty: true }));
  },

  figures() {
    return [...document.querySelectorAll("article figure img")].map((img) => {
      const { filter, backgroundColor } = getComputedStyle(img);
      return [filter, backgroundColor].join(" on ");
    });
  },

  // axe would take minutes for a page. So it is shown no letters of formulas, which are drawn where
  // it does not look, one word of code for each chain of tags, classes and styles, and for the
  // colours one element of each look: the same letters on the same backgrounds.
  thinOut() {
    const paths = new Map([[null, ""]]);
    const path = (element) => {
      if (!paths.has(element)) {
        const { parentElement, tagName, className, style, textContent } = element;
        const own = [tagName, className, style.cssText, textContent.length > 1];
        paths.set(element, [path(parentElement), ...own].join());
      }
      return paths.get(element);
    };
    const seen = new Set();
    for (const element of document.querySelectorAll("pre *")) {
      if (seen.has(path(element))) element.remove();
      seen.add(path(element));
    }
    document.querySelectorAll("mjx-container > *").forEach((element) => element.remove());
  },

  findLooks(modes) {
    const looks = new Map();
    for (const mode of modes) {
      document.documentElement.dataset.theme = mode;
      document.getAnimations().forEach((animation) => animation.finish());
      const backgrounds = new Map([[null, mode]]);
      const background = (element) => {
        if (!backgrounds.has(element)) {
          const { backgroundColor, backgroundImage, opacity, filter } = getComputedStyle(element);
          const own = [backgroundColor, backgroundImage, opacity, filter].join();
          const above = background(element.parentElement);
          const plain = own === "rgba(0, 0, 0, 0),none,1,none";
          backgrounds.set(element, plain ? above : `${above}/${own}`);
        }
        return backgrounds.get(element);
      };
      for (const element of document.body.querySelectorAll("*")) {
        const words = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)
            .map((node) => node.data.trim()).join("");
        if (!words || !element.checkVisibility({ visibilityProperty: true })) continue;
        const { color, fontSize, fontWeight } = getComputedStyle(element);
        const { tagName } = element.parentElement;
        const style = [color, fontSize, fontWeight, background(element), tagName];
        const look = [...style, words.length > 1].join();  // axe passes over single letters
        if (!looks.has(look)) looks.set(look, element);
      }
    }
    this.looks = [...new Set(looks.values())];
  },

  keepLooks() {
    const needed = new Set();
    for (let element of this.looks) {
      for (; element; element = element.parentElement) needed.add(element);
    }
    for (const element of document.body.querySelectorAll("*")) {
      if (!needed.has(element)) element.remove();
    }
  },

  async axe([mode, onlyLooks, rules]) {
    document.documentElement.dataset.theme = mode;
    document.getAnimations().forEach((animation) => animation.finish());
    const options = { resultTypes: ["violations"], preload: false, selectors: false, ...rules };
    const { violations } = await axe.run(onlyLooks ? { include: this.looks } : document, options);
    return violations
        .filter(({ impact }) => ["serious", "critical"].includes(impact))
        .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
            `${id}: ${html.slice(0, 150)} ${failureSummary}`));
  },
};
