// A slider beside a field of a number: each follows the other, and only the field is sent.
document.addEventListener('input', ({target}) => {
  if (target.matches('[data-slides]')) {
    document.getElementById(target.dataset.slides).value = target.value;
  } else if (target.id) {
    const slider = document.querySelector(`[data-slides="${CSS.escape(target.id)}"]`);
    if (slider && target.value !== '') slider.value = target.value;
  }
}, true);
