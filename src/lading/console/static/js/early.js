// Before the first paint: media that were hidden on this device stay hidden.
try {
  if (localStorage.getItem('lading:hide-media') === 'on') document.documentElement.classList.add('hide-media');
} catch { /* no storage, nothing remembered */ }
