// Wipes between two images of a rendition, zooms both, and copies settings. Without this script, all images stand side by side.
"use strict";

function viewer(section) {
  const find = (selector) => section.querySelector(selector);
  const [frame, stage, canvas, line] = [".frame", ".stage", ".canvas", ".line"].map(find);
  const [left, right] = [".canvas .left", ".canvas .right"].map(find);
  const wipe = find(".wipe input");
  const images = [...section.querySelectorAll("figure img")];
  const width = Number(section.dataset.width);
  const height = Number(section.dataset.height);
  const enlargement = Number(section.dataset.enlargement);
  let zoom = "fit";

  function draw() {
    const at = (wipe.value / 100) * stage.clientWidth;
    const across = stage.scrollLeft + at;
    // Clip both images, because the other one would show through transparent pixels.
    left.style.clipPath = `inset(0 ${canvas.clientWidth - across}px 0 0)`;
    right.style.clipPath = `inset(0 0 0 ${across}px)`;
    line.style.left = `${at}px`;
    wipe.setAttribute("aria-valuetext", `${wipe.value} % ${left.alt}, ${100 - wipe.value} % ${right.alt}`);
  }

  function pick(image, menu, tag) {
    image.src = images[menu.value].src;
    // The figure below has the full description; this tells a screen reader which side is which.
    image.alt = tag.textContent = menu.selectedOptions[0].textContent;
    draw();
  }

  function resize() {
    const isZoomed = zoom !== "fit";
    // Keep the centre in place.
    const x = (stage.scrollLeft + stage.clientWidth / 2) / canvas.clientWidth;
    const y = (stage.scrollTop + stage.clientHeight / 2) / canvas.clientHeight;
    const fitting = `min(${width * enlargement}px, ${(82 * width) / height}vh)`;
    frame.style.maxWidth = isZoomed ? `${width * zoom}px` : fitting;
    canvas.style.width = isZoomed ? `${width * zoom}px` : "100%";
    // The labels and the slider are as wide as the images, but not narrower than their text.
    find(".tags").style.maxWidth = find(".wipe").style.maxWidth = `max(16rem, ${frame.style.maxWidth})`;
    frame.classList.toggle("zoomed", isZoomed);
    canvas.classList.toggle("pixels", (isZoomed ? zoom : enlargement) > 1);
    stage.tabIndex = isZoomed ? 0 : -1;
    stage.scrollLeft = x * canvas.clientWidth - stage.clientWidth / 2;
    stage.scrollTop = y * canvas.clientHeight - stage.clientHeight / 2;
    draw();
  }

  function wipeTo(event) {
    const box = stage.getBoundingClientRect();
    wipe.value = (100 * (event.clientX - box.left)) / stage.clientWidth;
    draw();
  }

  function pan(event) {
    if (event.type !== "pointermove") return;
    stage.scrollLeft -= event.movementX;
    stage.scrollTop -= event.movementY;
  }

  function drag(element, begins, moves) {
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !begins(event)) return;
      element.setPointerCapture(event.pointerId);
      moves(event);
    });
    element.addEventListener("pointermove", (event) => {
      if (element.hasPointerCapture(event.pointerId)) moves(event);
    });
  }

  for (const [image, side] of [[left, "left"], [right, "right"]]) {
    const menu = find(`.pick-${side}`);
    if (side === "right") menu.value = section.dataset.right;
    menu.addEventListener("change", () => pick(image, menu, find(`.tag-${side}`)));
  }
  for (const choice of section.querySelectorAll(".zoom input")) {
    choice.addEventListener("change", () => { zoom = choice.value; resize(); });
  }
  drag(find(".knob"), () => true, wipeTo);
  // Touch and the arrow keys scroll without this script.
  const pans = (event) => zoom !== "fit" && event.pointerType === "mouse";
  drag(stage, (event) => zoom === "fit" || pans(event), (event) => (zoom === "fit" ? wipeTo(event) : pan(event)));
  wipe.addEventListener("input", draw);
  stage.addEventListener("scroll", draw);
  new ResizeObserver(draw).observe(stage);

  canvas.style.aspectRatio = `${width} / ${height}`;
  find(".viewer").hidden = false;
  for (const side of ["left", "right"]) find(`.pick-${side}`).dispatchEvent(new Event("change"));
  resize();
}

// A link to an image shows it on the right of its viewer.
function follow() {
  const figure = document.getElementById(location.hash.slice(1));
  const section = figure?.closest(".rendition");
  if (!section) return;
  const menu = section.querySelector(".pick-right");
  menu.value = [...section.querySelectorAll("figure")].indexOf(figure);
  menu.dispatchEvent(new Event("change"));
  section.scrollIntoView();
}

document.querySelectorAll(".rendition").forEach(viewer);
addEventListener("hashchange", follow);
follow();

for (const box of document.querySelectorAll(".copyable")) {
  const button = box.querySelector("button");
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(box.querySelector("code").textContent);
    button.textContent = "Copied";
  });
}
