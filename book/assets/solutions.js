// A solution opens and closes by a click on its title; the link in the title only leads to its exercise.
document.addEventListener(
  "click",
  (click) => {
    if (click.target.closest(".solution .admonition-title a")) click.stopPropagation();
  },
  true,
);
