// The engine's state in the tab: in the title at most every ten seconds, and as a dot at once.
const EVERY_MS = 10000;
const plain = document.title;
let changedAt = -EVERY_MS, waiting = null;

function retitle() {
  waiting = null;
  const state = document.getElementById('engine')?.dataset.title;
  const title = state ? `${state} - ${plain}` : plain;
  if (title === document.title) return;
  document.title = title;
  changedAt = performance.now();
}

function show() {
  const dot = document.getElementById('engine')?.dataset.favicon;
  const icon = document.getElementById('favicon');
  const href = dot && icon?.getAttribute('href').replace(/favicon-[a-z]+\.svg/, `favicon-${dot}.svg`);
  if (href && icon.getAttribute('href') !== href) icon.setAttribute('href', href);
  waiting ??= setTimeout(retitle, Math.max(0, changedAt + EVERY_MS - performance.now()));
}

show();
document.addEventListener('htmx:after:swap', show);
