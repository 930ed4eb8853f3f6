// Everything a page does beyond links and forms; each of these works alone, and pages work without.
import './times.js';
import './notices.js';
import './swaps.js';
import './forms.js';
import './slides.js';
import './rows.js';
import './bulk.js';
import './device.js';
import './copy.js';
import './pictures.js';
import './title.js';
import './palette.js';
import './live.js';

// Buttons that only scripts serve are hidden until there are scripts, also in what arrives later.
function reveal() {
  document.querySelectorAll('[data-copy][hidden], [data-opens][hidden], [data-slides][hidden]').forEach(button => { button.hidden = false; });
}
reveal();
document.addEventListener('htmx:after:swap', reveal);
