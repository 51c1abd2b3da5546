#' Training and validation sets of the spirals drawn with `...`; the target is 0 or 1.
spirals_data <- function(...) {
  drawn <- draw_spirals(...)
  split_data(drawn$x, drawn$class - 1, drawn$ids_train)
}
