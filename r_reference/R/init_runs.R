#' Trains a 2-6-3-2 network with ReLU, whose weights each of `fills` draws and whose biases are 0, under
#' each of `seeds`: by `steps` full-batch steps of gradient descent, at the rate `lr`, on the
#' cross-entropy. A data frame of init (the name of the fill), seed, step, and of both `sets` loss and
#' share of right classes, before the first step and after every `every`.
init_runs <- function(fills, sets = circle_sets(), seeds = 1:3, steps = 1000, every = 50, lr = 0.1) {
  right <- function(scores, k) mean(as.integer(scores$argmax(dim = 2)) == as.integer(k))
  evaluate <- function(network) with_no_grad({
    scores <- lapply(sets, function(set) network(set$x))
    data.frame(
      train_loss = nnf_cross_entropy(scores$train, sets$train$k)$item(),
      valid_loss = nnf_cross_entropy(scores$valid, sets$valid$k)$item(),
      train_accuracy = right(scores$train, sets$train$k),
      valid_accuracy = right(scores$valid, sets$valid$k)
    )
  })
  train <- function(fill) {
    network <- initialise(relu_layers(c(2, 6, 3, 2)), fill)
    opt <- optim_ignite_sgd(network$parameters, lr = lr)
    rows <- list(data.frame(step = 0, evaluate(network)))
    for (step in seq_len(steps)) {
      opt$zero_grad()
      nnf_cross_entropy(network(sets$train$x), sets$train$k)$backward()
      opt$step()
      if (step %% every == 0) rows[[length(rows) + 1]] <- data.frame(step = step, evaluate(network))
    }
    do.call(rbind, rows)
  }
  runs <- expand.grid(seed = seeds, init = names(fills), stringsAsFactors = FALSE)
  rows <- lapply(seq_len(nrow(runs)), function(i) {
    curve <- with_torch_manual_seed(seed = runs$seed[i], train(fills[[runs$init[i]]]))
    data.frame(init = runs$init[i], seed = runs$seed[i], curve)
  })
  do.call(rbind, rows)
}
