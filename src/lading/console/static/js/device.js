// Choices that are remembered on this device alone: hidden media, help that was read.
import {bind} from './keys.js';
import {announce} from './notices.js';

export function recall(name) {
  try { return localStorage.getItem(`lading:${name}`); } catch { return null; }
}

export function remember(name, value) {
  try { localStorage.setItem(`lading:${name}`, value); } catch { /* then not */ }
}

bind('Shift+H', 'Hide or show thumbnails and other media on this device', () => {
  const hidden = document.documentElement.classList.toggle('hide-media');
  remember('hide-media', hidden ? 'on' : 'off');
  announce(hidden ? 'Media are hidden.' : 'Media are shown.', true);
});

// Help is open on the first visit of its page, and then as it was left.
for (const help of document.querySelectorAll('details[data-help]')) {
  const name = `help:${help.dataset.help}`, was = recall(name);
  if (was !== 'closed' || new URLSearchParams(location.search).has('help')) help.open = true;
  remember(name, was ?? 'closed');
  help.querySelector('summary').addEventListener('click', () => remember(name, help.open ? 'closed' : 'open'));
}
