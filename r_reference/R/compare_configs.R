#' Trains the course's network once for each value of the one argument that is a list. Returns a
#' ggplot of the validation losses, whose data are epoch, valid_loss and config.
compare_configs <- function(epochs = 30, batch_size = 16, lr = 0.01, weight_decay = 0.01,
                            beta1 = 0.9, beta2 = 0.999, data = course_data()) {
  settings <- list(
    batch_size = batch_size, lr = lr, weight_decay = weight_decay, beta1 = beta1, beta2 = beta2
  )
  varied <- names(settings)[vapply(settings, is.list, logical(1))]
  if (length(varied) != 1) {
    stop("One of the arguments must be a list")
  }
  curves <- lapply(settings[[varied]], function(value) {
    settings[[varied]] <- value
    curve <- train_valid(
      with_torch_manual_seed(seed = 123, nn_mlp()),
      ds_train = data$ds_train, ds_valid = data$ds_valid,
      epochs = epochs, batch_size = settings$batch_size, lr = settings$lr,
      betas = c(settings$beta1, settings$beta2), weight_decay = settings$weight_decay
    )
    curve$config <- paste(varied, "=", value)
    curve
  })
  plot_configs(do.call(rbind, curves))
}
