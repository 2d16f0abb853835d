for (const table of document.querySelectorAll(".wide table")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = [...table.tBodies].at(-1);  // the row of the noisy pictures stays above
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const text = row => row.cells[column].textContent;
    const number = row => {
      const found = parseFloat(text(row).replace("inf", "Infinity"));
      return isNaN(found) ? -Infinity : found;
    };
    const compare = (a, b) => column ? Math.sign(number(a) - number(b)) || 0 : text(a).localeCompare(text(b));
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      body.append(...[...body.rows].sort((a, b) => up ? compare(a, b) : compare(b, a)));
    });
  });
}
for (const scene of document.querySelectorAll(".scene")) {
  const noisy = scene.querySelector(".noisy img");
  const others = [...scene.querySelectorAll(".result"), ...scene.querySelectorAll(".clean")];
  if (!others.length) continue;
  const wipe = document.querySelector("#wipe").content.cloneNode(true).firstElementChild;
  const pair = wipe.querySelector(".pair"), [left, right] = pair.children;
  const range = wipe.querySelector("input"), choice = wipe.querySelector("select");
  choice.append(...others.map(tile => new Option(tile.querySelector("b").textContent)));
  const choose = () => { right.src = others[choice.selectedIndex].querySelector("img").src; };
  const move = () => {
    pair.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % noisy`);
  };
  const drag = event => {
    if (!event.buttons) return;
    range.value = 100 * event.offsetX / pair.clientWidth;
    move();
  };
  left.src = noisy.src;
  choose();
  move();
  choice.addEventListener("change", choose);
  range.addEventListener("input", move);
  pair.addEventListener("pointerdown", drag);
  pair.addEventListener("pointermove", drag);
  scene.prepend(wipe);
}
