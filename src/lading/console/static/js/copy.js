// Buttons that copy a text, also where the page came over plain HTTP and there is no clipboard.
import {announce} from './notices.js';

function copyOldWay(text, near) {
  const area = Object.assign(document.createElement('textarea'), {value: text, readOnly: true, className: 'sr-only'});
  (near.closest('dialog') ?? document.body).append(area);
  area.select();
  try { return document.execCommand('copy'); } finally { area.remove(); near.focus(); }
}

async function copy(text, near) {
  if (navigator.clipboard) {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* not allowed: the old way */ }
  }
  return copyOldWay(text, near);
}

document.addEventListener('click', async event => {
  const button = event.target.closest?.('[data-copy]');
  if (!button) return;
  const done = await copy(button.dataset.copy, button);
  const said = done ? 'Copied' : 'Not copied';
  announce(`${said}.`, true);
  if (button.dataset.said) return;
  button.dataset.said = button.textContent;
  button.textContent = said;
  setTimeout(() => {
    button.textContent = button.dataset.said;
    delete button.dataset.said;
  }, 2000);
});
