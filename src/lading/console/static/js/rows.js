// Rows of tables, and other things in a row, by keyboard. The current row is the one with the focus, or had it last.
import {bind} from './keys.js';

let lastId = null;

const rows = () => [...document.querySelectorAll('[data-row]')];

export function currentRow() {
  return document.activeElement?.closest('[data-row]') ?? (lastId && document.getElementById(lastId));
}

document.addEventListener('focusin', event => {
  const row = event.target.closest?.('[data-row]');
  if (row) lastId = row.id;
});

function step(by) {
  const all = rows(), at = all.indexOf(currentRow());
  const row = all[at < 0 ? 0 : at + by];
  row?.querySelector('th a[href], a[href], input:not([type=hidden]), button, summary')?.focus();
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

// Buttons that name a key are pressed in the current row; a number chooses one of what is in it.
const keyed = new Map([...document.querySelectorAll('[data-row] button[data-press]')].map(button => [button.dataset.press, button]));
for (const [keys, button] of keyed) bind(keys, button.textContent.trim(), () => press(`button[data-press="${keys}"]`));
if (document.querySelector('[data-row] input[type=radio]')) {
  for (let number = 1; number <= 9; number++) {
    bind(String(number), `Choose number ${number} of the group`, () => {
      const choice = currentRow()?.querySelectorAll('input[type=radio]')[number - 1];
      choice?.click();
      choice?.focus();
      return Boolean(choice);
    });
  }
}
