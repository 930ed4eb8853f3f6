// What the looks ask of a page. Each probe only reads; it answers with plain values.
window.ladingProbes ??= (() => {
  const FOCUSABLE = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]';
  const context = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});

  // Any colour CSS can compute to, as [red, green, blue, cover].
  const rgba = css => {
    const plain = css.match(/^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/);
    if (plain) return [+plain[1], +plain[2], +plain[3], plain[4] === undefined ? 1 : +plain[4]];
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = css;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue, cover] = context.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, cover / 255];
  };
  const faded = ([red, green, blue, cover], share) => [red, green, blue, cover * share];
  const seen = element => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility({visibilityProperty: true}) && box.width > 1 && box.height > 1;
  };
  const name = element => {
    const words = (element.getAttribute('aria-label') || element.innerText || element.value
      || element.name || '').trim().replace(/\s+/g, ' ').slice(0, 60);
    const id = element.id ? `#${element.id}` : '';
    return `<${element.localName}${id}> ${words}`.trim();
  };
  const opacity = element => {
    let share = 1;
    for (let at = element; at; at = at.parentElement) share *= +getComputedStyle(at).opacity;
    return share;
  };

  // What one element paints behind its content: null for a picture that text could stand on.
  const painted = element => {
    const style = getComputedStyle(element), share = opacity(element), layers = [];
    if (style.backgroundImage !== 'none') {
      const colours = style.backgroundImage.match(/(?:rgba?|color|oklch|oklab|lab|lch|hsla?)\([^()]*\)/g);
      // An icon in a corner, as of a list to choose from, is not below the words.
      const corner = style.backgroundRepeat === 'no-repeat' && !/cover|contain|100%/.test(style.backgroundSize);
      if (!corner && /url\(/.test(style.backgroundImage)) return null;
      if (!corner && colours) layers.push(colours.map(colour => faded(rgba(colour), share)));
    }
    const colour = faded(rgba(style.backgroundColor), share);
    if (colour[3] > 0) layers.push([colour]);
    return layers;
  };

  // The layers below a point, from `element` down; null when a picture is among them.
  const layersAt = (x, y, element) => {
    const stack = document.elementsFromPoint(x, y);
    const from = element ? stack.indexOf(element) : 0;
    const below = from >= 0 ? stack.slice(from) : [];
    if (from < 0) for (let at = element; at; at = at.parentElement) below.push(at);
    const layers = [];
    for (const one of below) {
      const paints = painted(one);
      if (paints === null || ['img', 'video', 'canvas'].includes(one.localName)) return null;
      layers.push(...paints);
    }
    return layers;
  };

  const text = element => {
    element.scrollIntoView({block: 'center', inline: 'nearest', behavior: 'instant'});
    const range = document.createRange();
    range.selectNodeContents(element);
    const boxes = range.getClientRects();
    const box = boxes.length ? boxes[0] : element.getBoundingClientRect();
    const style = getComputedStyle(element);
    return {
      words: name(element),
      colour: faded(rgba(style.color), opacity(element)),
      layers: layersAt(box.left + box.width / 2, box.top + box.height / 2, element),
      size_px: parseFloat(style.fontSize),
      weight: +style.fontWeight,
    };
  };

  return {
    settle() {
      for (const animation of document.getAnimations()) {
        if (animation.effect?.getComputedTiming().endTime !== Infinity) animation.finish();
      }
    },

    texts: selectors => selectors.map(selector => {
      const element = document.querySelector(selector);
      return element && text(element);
    }),

    allTexts() {
      const owners = new Set();
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const owner = walker.currentNode.parentElement;
        if (/\S/.test(walker.currentNode.data) && seen(owner) && !owner.closest('[disabled], script, style')) owners.add(owner);
      }
      return [...owners].map(text);
    },

    animations: () => document.getAnimations().map(a =>
      `${a.animationName || a.transitionProperty || 'animation'} on ${name(a.effect.target)}`),

    overflow() {
      const root = document.documentElement;
      if (root.scrollWidth <= root.clientWidth) return [];
      const scrolls = element => {
        for (let at = element.parentElement; at && at !== document.body && at !== root; at = at.parentElement) {
          if (getComputedStyle(at).overflowX !== 'visible') return true;
        }
        return false;
      };
      const wide = [...document.body.querySelectorAll('*')].filter(element =>
        element.getBoundingClientRect().right + scrollX > root.clientWidth + 0.5 && !scrolls(element));
      const outer = wide.filter(element => !wide.includes(element.parentElement));
      return [`the page is ${root.scrollWidth} px wide in ${root.clientWidth} px`, ...outer.slice(0, 5).map(name)];
    },

    smallTargets(least) {
      const small = [];
      for (const element of document.querySelectorAll(FOCUSABLE)) {
        if (!seen(element) || element.disabled || element.tabIndex < 0) continue;
        let {left, top, right, bottom} = element.getBoundingClientRect();
        if (right <= 0 || bottom + scrollY <= 0) continue;
        const label = element.labels?.[0]?.getBoundingClientRect();
        if (label && element.labels[0].contains(element)) {
          [left, top] = [Math.min(left, label.left), Math.min(top, label.top)];
          [right, bottom] = [Math.max(right, label.right), Math.max(bottom, label.bottom)];
        }
        const wide = right - left, high = bottom - top;
        if (wide >= least - 0.1 && high >= least - 0.1) continue;
        // WCAG 2.5.8 leaves out what stands in a sentence.
        const sentence = element.localName === 'a' && getComputedStyle(element).display === 'inline'
          && [...element.parentElement.childNodes].some(node => node.nodeType === 3 && /\p{L}/u.test(node.data));
        if (!sentence) small.push(`${name(element)}: ${wide.toFixed(0)} x ${high.toFixed(0)} px`);
      }
      return small;
    },

    structure() {
      const headings = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].filter(seen);
      const first = [...document.querySelectorAll(FOCUSABLE)].find(element => element.tabIndex >= 0 && element.checkVisibility());
      const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
      const anchor = first?.getAttribute('href') ?? '';
      return {
        lang: document.documentElement.lang,
        title: document.title.trim(),
        mains: document.querySelectorAll('main, [role=main]').length,
        banners: document.querySelectorAll('body > header, [role=banner]').length,
        navs: [...document.querySelectorAll('nav, [role=navigation]')].map(nav =>
          nav.getAttribute('aria-label') || document.getElementById(nav.getAttribute('aria-labelledby'))?.innerText || ''),
        headings: headings.map(heading => [+heading.localName[1], heading.innerText.trim()]),
        skips_to: anchor.startsWith('#') && document.getElementById(anchor.slice(1)) ? anchor : '',
        twice: ids.filter((id, index) => ids.indexOf(id) !== index),
      };
    },

    reordered: () => [...document.querySelectorAll('[tabindex]')]
      .filter(element => element.tabIndex > 0).map(name),

    // Where the focus is, whether it can be seen there, and what is drawn around it.
    focus() {
      const element = document.activeElement;
      if (!element || element === document.body || element === document.documentElement) return null;
      this.settle();
      const box = element.getClientRects()[0] ?? element.getBoundingClientRect();
      const inside = (value, from, to) => Math.min(Math.max(value, from), to);
      // Of what is larger than the window, the part that is in it.
      const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
      const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
      const points = [[0.5, 0.5], [0.1, 0.2], [0.9, 0.2], [0.1, 0.8], [0.9, 0.8]].map(([x, y]) =>
        [left + (right - left) * x, top + (bottom - top) * y]);
      const shows = ([x, y]) => {
        if (right <= left || bottom <= top) return false;
        const over = document.elementFromPoint(x, y);
        return over !== null && (element.contains(over) || over.contains(element)
          || [...element.labels ?? []].some(label => label.contains(over)));
      };
      const style = getComputedStyle(element);
      const outline = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
      const shadow = style.boxShadow.match(/^((?:rgba?|color|oklch)\([^()]*\)) 0px 0px 0px ([\d.]+)px/);
      const wide = outline ? parseFloat(style.outlineWidth) : shadow ? +shadow[2] : 0;
      const gap = outline ? parseFloat(style.outlineOffset) : 0;
      const beside = [box.left - Math.max(gap, 0) - wide - 1, box.top + box.height / 2];
      // A ring drawn inwards stands on the element itself.
      const ground = gap < 0 ? layersAt(...points[0], element)
        : layersAt(inside(beside[0], 0, innerWidth - 1), inside(beside[1], 0, innerHeight - 1), null);
      return {
        name: name(element),
        has_parts: ['audio', 'video'].includes(element.localName),
        place: [...document.querySelectorAll('*')].indexOf(element),
        shows: shows(points[0]) || points.slice(1).filter(shows).length >= 3,
        ring_px: wide,
        ring: outline ? rgba(style.outlineColor) : shadow ? rgba(shadow[1]) : [0, 0, 0, 0],
        // The parts of a player, too, are the browser's: on one of them the player has no ring.
        own: (outline && style.outlineStyle === 'auto')
          || (['audio', 'video'].includes(element.localName) && !element.matches(':focus-visible')),
        ground,
      };
    },
  };
})();
