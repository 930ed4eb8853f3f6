// What is said beside the page's own content: notices, one status region, toasts.
const SAY_EVERY_MS = 10000;
const shown = new Set();
let saidAt = -SAY_EVERY_MS, waiting = null;

// A line above the content that stays; each text once.
export function notice(text, link) {
  const place = document.getElementById('notices');
  if (!place || shown.has(text)) return;
  shown.add(text);
  const line = document.createElement('p');
  line.className = 'notice';
  line.setAttribute('role', 'alert');
  line.append(text);
  if (link) line.append(' ', Object.assign(document.createElement('a'), link));
  place.append(line);
}

// To the polite status region, at most once in ten seconds, the newest; `now` goes at once.
function say(text) {
  const region = document.getElementById('status');
  if (region) region.textContent = text;
  saidAt = performance.now();
}
export function announce(text, now = false) {
  if (now) return say(text);
  clearTimeout(waiting);
  waiting = setTimeout(say, Math.max(0, saidAt + SAY_EVERY_MS - performance.now()), text);
}

// Live elements carry their milestone ("Import of 8f3a: 25 %"); that it changed is what is said.
new MutationObserver(changes => {
  for (const {target, oldValue} of changes) {
    const text = target.dataset.milestone;
    if (text && text !== oldValue) announce(text, 'milestoneNow' in target.dataset);
  }
}).observe(document.body, {subtree: true, attributeFilter: ['data-milestone'], attributeOldValue: true});

// Toasts go by themselves, but never while they are read or used.
function dismiss(toast) {
  if (toast.matches(':focus-within, :hover')) setTimeout(dismiss, 1000, toast);
  else toast.remove();
}
function arm(toast) {
  if (toast.dataset?.dismissAfter) setTimeout(dismiss, toast.dataset.dismissAfter * 1000, toast);
}
const toasts = document.getElementById('toasts');
if (toasts) {
  [...toasts.children].forEach(arm);
  new MutationObserver(changes => changes.forEach(change => change.addedNodes.forEach(arm))).observe(toasts, {childList: true});
  toasts.addEventListener('click', event => {
    if (event.target.closest('[data-dismiss]')) event.target.closest('.toast').remove();
  });
}
