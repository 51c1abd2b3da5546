# A tensor is an environment, so that it can be changed in place: `value` (a vector or a matrix),
# `requires_grad`, `gradient`, and for results `parents` and `pullback` (see autograd.R). Inside the
# stand-in its fields are read with [[, which does not go through `$.torch_tensor`.
# Every tensor is a true double: dtypes are accepted and ignored, and a scalar on the left of a
# double tensor keeps its 53 bits, where R torch rounds it to float32.

#' A tensor with a `value` that is a double vector or matrix.
new_tensor <- function(value, requires_grad = FALSE) {
  self <- new.env(parent = emptyenv())
  self$value <- value
  self$requires_grad <- requires_grad
  self$id <- autograd$count <- autograd$count + 1
  class(self) <- "torch_tensor"
  self
}

is_torch_tensor <- function(x) inherits(x, "torch_tensor")

#' A tensor of R's numbers.
torch_tensor <- function(data, dtype = NULL, requires_grad = FALSE) {
  storage.mode(data) <- "double"
  new_tensor(data, requires_grad)
}

torch_double <- function() "double"

torch_float <- function() "float"

torch_long <- function() "long"

#' A tensor of `value` with the sizes `...`.
filled <- function(value, ...) {
  shape <- c(...)
  new_tensor(if (length(shape) == 2) matrix(value, shape[1], shape[2]) else rep(value, shape))
}

torch_empty <- function(...) filled(0, ...)

torch_ones <- function(...) filled(1, ...)

torch_zeros <- function(...) filled(0, ...)

#' A tensor's vector or matrix.
as_array <- function(x) x[["value"]]

#' The number or array behind a tensor or a number.
value_of <- function(x) if (is_torch_tensor(x)) x[["value"]] else x

#' Sets the value of `self` in place. Like torch it refuses to change a parameter that is followed.
set_value <- function(self, value) {
  if (autograd$enabled && self[["requires_grad"]] && is.null(self[["pullback"]])) {
    stop("A tensor that requires a gradient must be changed in place inside with_no_grad().")
  }
  self[["value"]] <- value
  invisible(self)
}

#' A vector as the one column (`dim` 2) or the one row (`dim` 1) of a matrix: a copy, where torch's is
#' a view.
unsqueeze <- function(self, dim) {
  value <- self[["value"]]
  shape <- shape_of(value)
  if (length(shape) != 1) {
    stop("`unsqueeze()` of basetorch must have a vector; got ", paste(shape, collapse = " x "), ".")
  }
  if (!isTRUE(dim %in% 1:2)) stop("`dim` must be 1 or 2 for a vector; got ", deparse1(dim), ".")
  shape <- if (dim == 2) c(shape, 1) else c(1, shape)
  record(array(value, shape), list(self), function(g) list(fill_like(value, g)))
}

#' The elements along the rows of a vector or matrix, in a vector or matrix of the sizes `shape`.
reshape <- function(self, shape) {
  along_rows <- function(value) as.vector(if (is.matrix(value)) t(value) else value)
  in_rows <- function(values, shape) {
    if (length(shape) == 2) matrix(values, shape[1], shape[2], byrow = TRUE) else values
  }
  value <- self[["value"]]
  if (prod(shape) != length(value)) {
    stop("`shape` must have the ", length(value), " elements of the tensor; got ", deparse1(shape), ".")
  }
  record(in_rows(along_rows(value), shape), list(self), function(g) {
    list(fill_like(value, in_rows(along_rows(g), shape_of(value))))
  })
}

#' A tensor of `value`, computed from `self` without a derivative, and therefore of none that is followed.
without_gradient <- function(self, value) {
  if (autograd$enabled && self[["requires_grad"]]) {
    stop("This method of basetorch has no gradient. Detach the tensor, or use with_no_grad().")
  }
  new_tensor(value)
}

#' Where the largest number of each row of a matrix is first, counted from 1; NaN is the largest of all.
argmax <- function(self, dim) {
  if (!is.matrix(self[["value"]]) || !isTRUE(dim == 2)) {
    stop("`argmax()` of basetorch must have a matrix and dim = 2; got dim = ", deparse1(dim), ".")
  }
  new_tensor(apply(self[["value"]], 1, function(row) if (anyNA(row)) which(is.na(row))[1] else which.max(row)))
}

#' The rows `i` and columns `j` of a matrix, or elements of a vector.
`[.torch_tensor` <- function(x, i, j) {
  value <- x[["value"]]
  without_gradient(x, if (is.matrix(value)) value[i, j, drop = FALSE] else value[i])
}

as.integer.torch_tensor <- function(x, ...) as.integer(x[["value"]])

tensor_methods <- list(
  abs = function(self) without_gradient(self, abs(self[["value"]])),
  mean = function(self) without_gradient(self, mean(self[["value"]])),
  norm = function(self) without_gradient(self, sqrt(sum(self[["value"]]^2))),
  std = function(self) without_gradient(self, stats::sd(self[["value"]])),
  contiguous = function(self) self,
  to = function(self, dtype) self,
  item = function(self) self[["value"]][[1]],
  detach = function(self) new_tensor(self[["value"]]),
  unsqueeze = function(self, dim) unsqueeze(self, dim),
  reshape = function(self, shape) reshape(self, shape),
  backward = function(self) backward(self),
  argmax = function(self, dim) argmax(self, dim),
  zero_ = function(self) set_value(self, fill_like(self[["value"]], 0)),
  add_ = function(self, other) set_value(self, self[["value"]] + value_of(other)),
  sub_ = function(self, other) set_value(self, self[["value"]] - value_of(other)),
  mul_ = function(self, other) set_value(self, self[["value"]] * value_of(other))
)

tensor_fields <- list(
  grad = function(self) self[["gradient"]],
  requires_grad = function(self) self[["requires_grad"]],
  shape = function(self) shape_of(self[["value"]])
)

#' The sizes of a vector or matrix.
shape_of <- function(value) if (is.null(dim(value))) length(value) else dim(value)

#' `numbers`, one or as many as `value` has, in the shape of `value`.
fill_like <- function(value, numbers) {
  value[] <- numbers
  value
}

#' A field or method of `tensor_fields` and `tensor_methods`.
`$.torch_tensor` <- function(x, name) {
  if (!is.null(field <- tensor_fields[[name]])) return(field(x))
  method <- tensor_methods[[name]]
  if (is.null(method)) {
    known <- paste(c(names(tensor_fields), names(tensor_methods)), collapse = ", ")
    stop("A basetorch tensor's member must be one of ", known, "; got ", name, ".")
  }
  function(...) method(x, ...)
}

print.torch_tensor <- function(x, ...) {
  cat("basetorch tensor\n")
  print(x[["value"]])
  invisible(x)
}
