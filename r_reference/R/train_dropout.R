#' Trains `network` in place with AdamW on batches of 50 rows in order. Returns losses and errors (in
#' percent) of both sets after each epoch; leaves the network in evaluation mode.
train_dropout <- function(network, sets, epochs) {
  opt <- optim_ignite_adamw(network$parameters, lr = 3e-4, weight_decay = 0.01)
  n <- sets$train$x$shape[1]
  loss_and_error <- function(set) {
    scores <- with_no_grad(network(set$x))
    predicted <- max.col(as_array(scores), ties.method = "first")
    c(nnf_cross_entropy(scores, set$k)$item(), 100 * mean(predicted != as.integer(set$k)))
  }
  rows <- lapply(seq_len(epochs), function(epoch) {
    network$train()
    for (first in seq(1, n, 50)) {
      batch <- first:min(first + 49, n)
      opt$zero_grad()
      nnf_cross_entropy(network(sets$train$x[batch, ]), sets$train$k[batch])$backward()
      opt$step()
    }
    network$eval()
    train <- loss_and_error(sets$train)
    valid <- loss_and_error(sets$valid)
    data.frame(
      epoch = epoch, train_loss = train[1], valid_loss = valid[1], train_error = train[2],
      valid_error = valid[2]
    )
  })
  do.call(rbind, rows)
}
