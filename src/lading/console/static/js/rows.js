// Rows of tables by keyboard. The current row is the one with the focus, or had it last.
import {bind} from './keys.js';

let lastId = null;

const rows = () => [...document.querySelectorAll('tr[data-row]')];

export function currentRow() {
  return document.activeElement?.closest('tr[data-row]') ?? (lastId && document.getElementById(lastId));
}

document.addEventListener('focusin', event => {
  const row = event.target.closest?.('tr[data-row]');
  if (row) lastId = row.id;
});

function step(by) {
  const all = rows(), at = all.indexOf(currentRow());
  const row = all[at < 0 ? 0 : at + by];
  row?.querySelector('th a[href], a[href], input, button, summary')?.focus();
  return all.length > 0;
}

function press(selector) {
  const target = currentRow()?.querySelector(selector);
  if (target) target.click();
  return Boolean(target);
}

bind('j', 'Next row', () => step(1));
bind('k', 'Previous row', () => step(-1));
bind('Enter', 'Open the row', event =>
  !event.target.closest('a, button, summary') && press('th a[href], a[href]'));
bind('e', 'Show or hide the details of the row', () => press('summary, [data-expand]'));
