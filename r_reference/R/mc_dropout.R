#' The mean scores of `network` for `x` over the first passes in training mode, for each number in
#' `passes`, and at passes 0 those of evaluation mode, in which the network is left: one row for each
#' score; rows and classes are counted from 0.
mc_dropout <- function(network, x, passes = c(1, 10, 100)) {
  as_rows <- function(passes, scores) {
    scores <- as_array(scores)
    row <- rep(seq_len(nrow(scores)) - 1, ncol(scores))
    class <- rep(seq_len(ncol(scores)) - 1, each = nrow(scores))
    data.frame(passes = passes, row = row, class = class, logit = as.vector(scores))
  }
  with_no_grad({
    network$train()
    total <- 0
    means <- list()
    for (pass in seq_len(max(passes))) {
      total <- total + network(x)
      if (pass %in% passes) means <- c(means, list(as_rows(pass, total / pass)))
    }
    network$eval()
    do.call(rbind, c(means, list(as_rows(0, network(x)))))
  })
}
