// A picture that cannot be shown leaves its place to the icon beneath it.
const hide = picture => picture.classList.add('broken');

addEventListener('error', event => {
  if (event.target instanceof HTMLImageElement) hide(event.target);
}, true);
for (const picture of document.images) if (picture.complete && !picture.naturalWidth && picture.currentSrc) hide(picture);
