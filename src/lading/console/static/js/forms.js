// Forms: asked about before they do what cannot be undone, sent once, and kept over a sign-in.
const KEY = 'lading:kept';

// A dialog instead of the confirmation page that the server has for who cannot see one.
function ask(text, {confirmVerb = 'Continue', confirmTyped}, go) {
  const dialog = document.createElement('dialog');
  dialog.setAttribute('aria-labelledby', 'confirm-title');
  dialog.innerHTML = '<article><h2 id="confirm-title"></h2><form method="dialog"><label hidden><span></span> <input autocomplete="off"></label>'
    + '<button value="" class="secondary" autofocus>Cancel</button> <button value="go"></button></form></article>';
  const [title, label, field, act] = ['h2', 'label', 'input', '[value=go]'].map(part => dialog.querySelector(part));
  title.textContent = text;
  act.textContent = confirmVerb;
  if (confirmTyped) {
    label.hidden = false;
    label.querySelector('span').textContent = `Type ${confirmTyped} to ${confirmVerb.toLowerCase()}`;
    act.disabled = true;
    field.addEventListener('input', () => { act.disabled = field.value.trim() !== confirmTyped; });
    field.addEventListener('keydown', event => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      act.click();
    });
  }
  dialog.addEventListener('close', () => {
    dialog.remove();
    if (dialog.returnValue === 'go') go();
  });
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener('submit', event => {
  const form = event.target, asks = event.submitter?.dataset.confirm ? event.submitter : form;
  if (!asks.dataset.confirm || !globalThis.HTMLDialogElement) return;
  if (form.dataset.confirmed) {
    delete form.dataset.confirmed;
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  const {submitter} = event;
  ask(asks.dataset.confirm, asks.dataset, () => {
    form.dataset.confirmed = '1';
    if (!form.querySelector('input[name=confirmed]')) form.append(Object.assign(document.createElement('input'), {type: 'hidden', name: 'confirmed', value: '1'}));
    form.requestSubmit(submitter?.form ? submitter : undefined);
  });
}, true);

// Once: the second click of a double click finds its button off.
function settle(form, busy) {
  if (busy) form.setAttribute('aria-busy', 'true');
  else form.removeAttribute('aria-busy');
  for (const button of form.elements) if (button.type === 'submit') button.disabled = busy;
}
document.addEventListener('submit', ({target: form, defaultPrevented}) => {
  if (!form.matches('[data-submit-once]') || (defaultPrevented && !form.matches('[hx-post]'))) return;
  setTimeout(settle, 0, form, true);
});
const settleAll = () => document.querySelectorAll('form[data-submit-once]').forEach(form => settle(form, false));
document.addEventListener('htmx:finally:request', settleAll);
addEventListener('pageshow', event => { if (event.persisted) settleAll(); });

// What was typed into forms survives being signed out: it is put back when the page is back.
const KEPT = 'input:not([type=hidden], [type=password], [type=file], [type=checkbox], [type=radio], [type=submit], [type=button])[name], textarea[name], select[name]';
const place = form => `${location.pathname} ${form.id}`;

function read() {
  try { return JSON.parse(sessionStorage.getItem(KEY)) ?? {}; } catch { return {}; }
}
function write(kept) {
  try { sessionStorage.setItem(KEY, JSON.stringify(kept)); } catch { /* then not */ }
}

export function keep(forms = document.forms) {
  const kept = read();
  for (const form of forms) {
    if (!form.id || form.method !== 'post') continue;
    kept[place(form)] = [...form.querySelectorAll(KEPT)].map(field => [field.name, field.value]);
  }
  write(kept);
}

document.addEventListener('submit', ({target}) => keep([target]));
const kept = read();
if (location.pathname === '/sign-in') {
  write({...kept, returning: true});
} else if (Object.keys(kept).length) {
  for (const form of kept.returning ? document.forms : []) {
    for (const [name, value] of kept[place(form)] ?? []) {
      const field = form.querySelector(`[name="${CSS.escape(name)}"]`);
      if (field?.matches(KEPT)) field.value = value;
    }
  }
  write({});
}
