#' Trains `network` in place by `steps` full-batch steps of `opt` on the mean squared error. Before
#' the steps 0, `every`, 2 `every`, ... it notes the loss and, of each parameter, the 2-norms of
#' gradient and value.
gradient_norms <- function(network, opt, x, y, steps, every = 10) {
  rows <- list()
  for (step in seq_len(steps) - 1) {
    opt$zero_grad()
    loss <- nnf_mse_loss(network(x), y)
    loss$backward()
    if (step %% every == 0) {
      for (name in names(network$parameters)) {
        parameter <- network$parameters[[name]]
        rows[[length(rows) + 1]] <- data.frame(
          step = step, loss = loss$item(), parameter = name,
          gradient = parameter$grad$norm()$item(), value = parameter$detach()$norm()$item()
        )
      }
    }
    opt$step()
  }
  do.call(rbind, rows)
}
