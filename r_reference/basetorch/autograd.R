# Reverse-mode differentiation. A result remembers its parents and a `pullback`, which turns the
# gradient by the result into the list of gradients by the parents.

autograd <- new.env(parent = emptyenv())
autograd$enabled <- TRUE
autograd$count <- 0

#' Evaluates `code` without following its tensors.
with_no_grad <- function(code) {
  before <- autograd$enabled
  on.exit(autograd$enabled <- before)
  autograd$enabled <- FALSE
  force(code)
}

#' A tensor of `value`, followed if one of `parents` is.
record <- function(value, parents, pullback) {
  result <- new_tensor(value)
  if (autograd$enabled && any(vapply(parents, function(p) p[["requires_grad"]], NA))) {
    result[["requires_grad"]] <- TRUE
    result[["parents"]] <- parents
    result[["pullback"]] <- pullback
  }
  result
}

#' The followed tensors that `root` depends on, each before its parents: a parent is always older.
history <- function(root) {
  found <- list()
  waiting <- list(root)
  while (length(waiting) > 0) {
    node <- waiting[[1]]
    waiting <- waiting[-1]
    key <- as.character(node[["id"]])
    if (is.null(found[[key]]) && node[["requires_grad"]]) {
      found[[key]] <- node
      waiting <- c(waiting, node[["parents"]])
    }
  }
  found[order(vapply(found, function(node) node[["id"]], 0), decreasing = TRUE)]
}

#' Adds d root / d leaf to the gradient of each leaf that `root` depends on.
backward <- function(root) {
  if (!root[["requires_grad"]] || length(root[["value"]]) != 1) {
    stop("`backward()` must start at a single number that requires a gradient.")
  }
  upstream <- list()
  upstream[[as.character(root[["id"]])]] <- 1
  for (node in history(root)) {
    gradient <- upstream[[as.character(node[["id"]])]]
    if (is.null(node[["pullback"]])) {
      accumulate(node, gradient)
      next
    }
    shares <- node[["pullback"]](gradient)
    for (i in seq_along(shares)) {
      key <- as.character(node[["parents"]][[i]][["id"]])
      before <- upstream[[key]]
      upstream[[key]] <- if (is.null(before)) shares[[i]] else before + shares[[i]]
    }
  }
  invisible(NULL)
}

#' Adds to a leaf's gradient, a tensor of its own that the user may set to zero.
accumulate <- function(leaf, gradient) {
  if (is.null(leaf[["gradient"]])) {
    leaf[["gradient"]] <- new_tensor(fill_like(leaf[["value"]], gradient))
  } else {
    leaf[["gradient"]][["value"]] <- leaf[["gradient"]][["value"]] + gradient
  }
}
