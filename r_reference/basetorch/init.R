# Initialisers change a parameter or a tensor in place and return it.

#' Fills `tensor` with `values`, which run along its rows.
fill_rows <- function(tensor, values) {
  if (length(tensor$shape) == 2) {
    values <- matrix(values, tensor$shape[1], tensor$shape[2], byrow = TRUE)
  }
  with_no_grad(set_value(tensor, values))
}

#' The number of elements.
size <- function(tensor) prod(tensor$shape)

nn_init_constant_ <- function(tensor, val) fill_rows(tensor, rep(val, size(tensor)))

nn_init_zeros_ <- function(tensor) nn_init_constant_(tensor, 0)

nn_init_uniform_ <- function(tensor, a = 0, b = 1) {
  fill_rows(tensor, draw_uniform(size(tensor), a, b))
}

nn_init_normal_ <- function(tensor, mean = 0, std = 1) {
  fill_rows(tensor, draw_normal(size(tensor), mean, std))
}

#' The standard deviation of Glorot and Bengio (2010).
xavier_std <- function(tensor) sqrt(2 / sum(tensor$shape))

#' The standard deviation of He et al. (2015) for ReLU, or a leaky one of negative slope `a`.
kaiming_std <- function(tensor, a, nonlinearity) {
  gain <- switch(nonlinearity,
    leaky_relu = sqrt(2 / (1 + a^2)),
    relu = sqrt(2),
    stop('`nonlinearity` of basetorch must be "leaky_relu" or "relu"; got "', nonlinearity, '".')
  )
  gain / sqrt(tensor$shape[2])
}

nn_init_xavier_uniform_ <- function(tensor) {
  bound <- sqrt(3) * xavier_std(tensor)
  nn_init_uniform_(tensor, -bound, bound)
}

nn_init_xavier_normal_ <- function(tensor) nn_init_normal_(tensor, 0, xavier_std(tensor))

nn_init_kaiming_uniform_ <- function(tensor, a = 0, nonlinearity = "leaky_relu") {
  bound <- sqrt(3) * kaiming_std(tensor, a, nonlinearity)
  nn_init_uniform_(tensor, -bound, bound)
}

nn_init_kaiming_normal_ <- function(tensor, a = 0, nonlinearity = "leaky_relu") {
  nn_init_normal_(tensor, 0, kaiming_std(tensor, a, nonlinearity))
}

#' Orthonormal columns: Q of the QR decomposition of normal draws, with R's diagonal made positive.
#' For tensors of at least as many rows as columns.
nn_init_orthogonal_ <- function(tensor) {
  decomposed <- qr(matrix(draw_normal(size(tensor)), ncol = tensor$shape[2], byrow = TRUE))
  q <- sweep(qr.Q(decomposed), 2, sign(diag(qr.R(decomposed))), `*`)
  fill_rows(tensor, t(q))
}

#' R torch's way: the normal quantiles of uniform draws; PyTorch's values are others.
nn_init_trunc_normal_ <- function(tensor, mean = 0, std = 1, a = -2, b = 2) {
  below <- stats::pnorm((c(a, b) - mean) / std)
  centred <- draw_uniform(size(tensor), 2 * below[1] - 1, 2 * below[2] - 1)
  values <- stats::qnorm((centred + 1) / 2) * std + mean
  fill_rows(tensor, pmin(pmax(values, a), b))
}
