// The two dialogs of the keyboard: go to anything, and the legend of keys.
import {bind, registry} from './keys.js';

const palette = document.getElementById('palette');

function list() {
  const place = palette.querySelector('[data-palette-links]');
  const words = palette.querySelector('[name=q]').value.trim().toLowerCase();
  place.replaceChildren(...[...document.querySelectorAll('nav a[href]')]
    .filter(link => words === '' || link.textContent.toLowerCase().includes(words))
    .map(link => {
      const item = document.createElement('li');
      item.append(Object.assign(document.createElement('a'), {href: link.href, textContent: link.firstChild.textContent.trim()}));
      return item;
    }));
}

function legend() {
  let dialog = document.getElementById('legend');
  if (!dialog) {
    dialog = Object.assign(document.createElement('dialog'), {id: 'legend'});
    dialog.setAttribute('aria-labelledby', 'legend-title');
    dialog.innerHTML = '<article><h2 id="legend-title">Keyboard shortcuts</h2><table><tbody></tbody></table><form method="dialog"><button>Close</button></form></article>';
    document.body.append(dialog);
  }
  const names = {Mod: /Mac|iP/.test(navigator.platform) ? 'Cmd' : 'Ctrl'};
  dialog.querySelector('tbody').replaceChildren(...registry.map(({keys, label}) => {
    const row = document.createElement('tr'), keyCell = document.createElement('th');
    keyCell.scope = 'row';
    keyCell.append(Object.assign(document.createElement('kbd'), {textContent: keys.replace('Mod', names.Mod)}));
    row.append(keyCell, Object.assign(document.createElement('td'), {textContent: label}));
    return row;
  }));
  return dialog;
}

function open(name) {
  const dialog = name === 'legend' ? legend() : document.getElementById(name);
  if (!dialog?.showModal || dialog.open) return false;
  if (dialog === palette) list();
  dialog.showModal();
  return true;
}

palette?.addEventListener('input', list);
palette?.addEventListener('keydown', event => {
  const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (!step) return;
  const stops = [palette.querySelector('[name=q]'), ...palette.querySelectorAll('li a')];
  stops[Math.max(0, Math.min(stops.length - 1, stops.indexOf(document.activeElement) + step))].focus();
  event.preventDefault();
});
document.addEventListener('click', event => {
  const button = event.target.closest?.('[data-opens]');
  if (button) open(button.dataset.opens);
});
if (palette) bind('Mod+k', 'Go to anything', () => open('palette'));
bind('?', 'Show these shortcuts', () => open('legend'));
