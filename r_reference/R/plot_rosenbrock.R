#' The Rosenbrock function as filled contours, darker where it is lower.
plot_rosenbrock <- function() {
  surface <- expand.grid(
    x = seq(-2, 2, length.out = 400), y = seq(-1, 3, length.out = 400)
  )
  surface$value <- rosenbrock(surface$x, surface$y)
  breaks <- c(
    seq(0, 1.9, by = 0.1), seq(2, 19, by = 1), seq(20, 190, by = 10), seq(200, 2000, by = 200)
  )
  ggplot2::ggplot(surface, ggplot2::aes(x = x, y = y, z = value)) +
    ggplot2::geom_contour_filled(breaks = breaks, show.legend = FALSE) +
    ggplot2::theme_minimal()
}
