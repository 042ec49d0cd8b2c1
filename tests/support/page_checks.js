() => {
  const faults = [];
  const told = (element) => `<${element.localName}${element.id ? ` id="${element.id}"` : ""}> ${(element.textContent ?? "").trim().slice(0, 40)}`;
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && element.getClientRects().length > 0 && !element.closest(".visually-hidden, .skip:not(:focus), [aria-hidden=true]:not(svg *)");
  const every = (selector) => [...document.querySelectorAll(selector)];

  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title) faults.push("no title");
  if (every("main").filter(isShown).length !== 1) faults.push("not one main part");

  const ids = every("[id]").map((each) => each.id);
  for (const id of new Set(ids.filter((each, at) => ids.indexOf(each) !== at))) faults.push(`id ${id} twice`);
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "aria-activedescendant", "for"]) {
    for (const element of every(`[${name}]`)) {
      for (const id of element.getAttribute(name).split(" ")) {
        if (!document.getElementById(id)) faults.push(`${told(element)}: ${name} leads to ${id}, which is not there`);
      }
    }
  }

  for (const element of every("input, select, textarea")) {
    if (!element.labels?.length && !element.getAttribute("aria-label")) faults.push(`${told(element)}: no label`);
  }
  for (const element of every("button, a, summary, [role=slider], [role=listbox], [role=region]")) {
    const name = element.getAttribute("aria-label") || element.getAttribute("aria-labelledby") || element.textContent.trim();
    if (!name) faults.push(`${told(element)}: no name`);
  }
  for (const element of every("img")) if (!element.hasAttribute("alt")) faults.push(`${told(element)}: no alt`);
  for (const element of every("table")) {
    if (!element.caption) faults.push(`${told(element)}: no caption`);
    for (const cell of element.querySelectorAll("th")) if (!cell.scope) faults.push(`${told(cell)}: no scope`);
  }

  const levels = every("h1, h2, h3, h4").filter(isShown).map((each) => Number(each.localName[1]));
  if (levels.filter((each) => each === 1).length !== 1) faults.push(`not one first heading: ${levels}`);
  levels.forEach((level, at) => { if (at && level > levels[at - 1] + 1) faults.push(`heading ${level} after ${levels[at - 1]}`); });

  const channels = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = ([red, green, blue]) => [red, green, blue]
    .map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = channels(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  for (const element of every("body *")) {
    const hasText = [...element.childNodes].some((each) => each.nodeType === Node.TEXT_NODE && each.textContent.trim());
    const isField = element.matches("input, select");
    if ((!hasText && !isField) || !isShown(element)) continue;
    const style = getComputedStyle(element);
    const own = channels(element instanceof SVGElement ? style.fill : style.color);
    const [high, low] = [luminance(own), luminance(behind(element))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = Number.parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) faults.push(`${told(element)}: contrast ${ratio.toFixed(2)}`);
    if (size < 12) faults.push(`${told(element)}: ${size} px are too small`);
  }

  if (document.documentElement.scrollWidth > innerWidth) faults.push(`${document.documentElement.scrollWidth} px wide in ${innerWidth}`);
  for (const element of every("button, input, select, summary").filter(isShown)) {
    const { width, height } = element.getBoundingClientRect();
    if (element.type !== "range" && (width < 24 || height < 24)) faults.push(`${told(element)}: ${width} × ${height} px to hit`);
  }
  for (const element of every("[style], [onclick], body script:not([src])")) faults.push(`${told(element)}: inline style or script`);
  return faults;
}
