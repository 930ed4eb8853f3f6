// Ticks: by page and by range, kept on the server under `?sel=`, so that paging and reloads keep them.
import {bind} from './keys.js';
import {notice} from './notices.js';
import {currentRow} from './rows.js';

function start(form) {
  const bar = document.querySelector('[data-bulk-bar]'), total = document.querySelector('[data-selected-count]');
  const header = form.querySelector('[data-select-page]');
  const wanted = new Map(), pending = new Map();
  let count = Number(total?.textContent.replace(/\D/g, '') ?? 0), anchor = null, sending = null;

  const boxes = () => [...form.elements].filter(box => box.type === 'checkbox' && box.name === 'id' && !box.disabled);

  function show() {
    const all = boxes(), ticked = all.filter(box => box.checked).length;
    if (header) Object.assign(header, {hidden: false, checked: ticked > 0 && ticked === all.length, indeterminate: ticked > 0 && ticked < all.length});
    if (total) total.textContent = count.toLocaleString('en-US');
    if (bar) bar.hidden = count === 0;
    bar?.setAttribute('aria-busy', String(sending !== null));
  }

  function tick(changed, checked) {
    for (const box of changed) {
      box.checked = checked;
      if (wanted.get(box.value) === checked) continue;
      wanted.set(box.value, checked);
      pending.set(box.value, checked);
      count += checked ? 1 : -1;
    }
    send();
    show();
  }

  function range(box) {
    const all = boxes(), from = all.findIndex(other => other.value === anchor), to = all.indexOf(box);
    return from < 0 ? [box] : all.slice(Math.min(from, to), Math.max(from, to) + 1);
  }

  function adopt(key) {
    if (!key || key === form.dataset.selection) return;
    form.dataset.selection = key;
    const url = new URL(location.href);
    url.searchParams.set('sel', key);
    history.replaceState(history.state, '', url);
    for (const field of document.querySelectorAll('form[data-bulk] input[name=sel], form[data-carry] input[name=sel]')) field.value = key;
    carry();
  }

  function carry() {
    const key = form.dataset.selection;
    if (!key) return;
    for (const link of document.querySelectorAll('a[data-carry]')) {
      const url = new URL(link.href);
      url.searchParams.set('sel', key);
      link.href = url;
    }
    for (const other of document.querySelectorAll('form[data-carry]')) {
      if (!other.elements.sel) other.append(Object.assign(document.createElement('input'), {type: 'hidden', name: 'sel', value: key}));
    }
  }

  async function post(changes) {
    const body = new URLSearchParams({resource: form.dataset.bulk});
    for (const [id, checked] of changes) body.append(checked ? 'add' : 'remove', id);
    const answer = await fetch(`/selections/${form.dataset.selection || 'new'}`, {
      method: 'POST', body, keepalive: true,
      headers: {'X-CSRF-Token': document.body.dataset.csrf, Accept: 'application/json'},
    });
    if ([404, 410].includes(answer.status) && form.dataset.selection) {
      // The server kept it no longer; what is ticked here begins a new one.
      form.dataset.selection = '';
      return post(new Map([...wanted].filter(([, checked]) => checked)));
    }
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    const said = await answer.json();
    adopt(said.key);
    if (!pending.size) count = said.count;
  }

  async function sendAll() {
    while (pending.size) {
      const changes = new Map(pending);
      pending.clear();
      try {
        await post(changes);
      } catch {
        for (const [id, checked] of changes) if (!pending.has(id)) pending.set(id, checked);
        notice('What you ticked could not be saved; it is tried again with the next tick.');
        break;
      }
    }
    sending = null;
    show();
  }

  const send = () => { if (pending.size) sending ??= sendAll(); };

  form.addEventListener('click', event => {
    const box = event.target;
    if (box === header) tick(boxes(), header.checked);
    if (!boxes().includes(box)) return;
    tick(event.shiftKey ? range(box) : [box], box.checked);
    anchor = box.value;
  });
  // Whatever is done next waits until the server has the ticks.
  addEventListener('submit', event => {
    if (!sending) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    sending.then(() => event.target.requestSubmit(event.submitter));
  }, true);
  document.addEventListener('click', event => {
    const link = event.target.closest?.('a[href]');
    if (!sending || !link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
    event.preventDefault();
    sending.then(() => { location.href = link.href; });
  });
  document.addEventListener('htmx:after:swap', () => {
    carry();
    show();
  });
  const byKey = isRange => () => {
    const box = boxes().find(candidate => currentRow()?.contains(candidate));
    if (!box) return false;
    tick(isRange ? range(box) : [box], isRange || !box.checked);
    anchor = box.value;
    return true;
  };
  bind('x', 'Tick the row', byKey(false));
  bind('Shift+X', 'Tick the rows from the last one to this', byKey(true));

  // What was ticked while this was still on its way is known to nobody yet.
  const early = boxes().filter(box => box.checked !== box.defaultChecked);
  for (const box of boxes()) wanted.set(box.value, box.defaultChecked);
  for (const checked of [true, false]) tick(early.filter(box => box.checked === checked), checked);
  carry();
  show();
}

const form = document.querySelector('form[data-bulk]');
if (form) start(form);
