# A module is a function that carries an environment, `self`; parameters and modules assigned to
# `self$name` are registered in the order of assignment.

#' A function that makes modules: `initialize` sets up `self`, `forward` is the call.
nn_module <- function(classname = NULL, initialize, forward) {
  function(...) {
    self <- new.env(parent = emptyenv())
    self$training <- TRUE
    class(self) <- "nn_Module"
    bind_self(initialize, self)(...)
    self$forward <- bind_self(forward, self)
    self[["module"]] <- structure(
      function(...) self$forward(...),
      class = c(classname, "nn_module"), module = self
    )
    self[["module"]]
  }
}

#' `method` with `self` in its scope.
bind_self <- function(method, self) {
  environment(method) <- list2env(list(self = self), parent = environment(method))
  method
}

#' Marks a tensor as followed and as a parameter.
nn_parameter <- function(x) {
  x[["requires_grad"]] <- TRUE
  class(x) <- c("torch_tensor", "nn_parameter")
  x
}

#' Assigns in `initialize`, and registers parameters and modules.
`$<-.nn_Module` <- function(x, name, value) {
  x[[name]] <- value
  if (inherits(value, c("nn_module", "nn_parameter"))) {
    x[["registered"]] <- unique(c(x[["registered"]], name))
  }
  invisible(x)
}

module_methods <- list(
  parameters = function(self) collect_parameters(self),
  children = function(self) {
    Filter(function(member) inherits(member, "nn_module"), mget(as.character(self[["registered"]]), self))
  },
  modules = function(self) {
    inner <- lapply(unname(self[["module"]]$children), function(child) child$modules)
    c(list(self[["module"]]), unlist(inner, recursive = FALSE))
  },
  train = function(self) function() set_training(self, TRUE),
  eval = function(self) function() set_training(self, FALSE)
)

#' Puts a module and its modules into training mode, or into evaluation mode.
set_training <- function(self, training) {
  for (module in self[["module"]]$modules) {
    inner <- attr(module, "module")
    inner[["training"]] <- training
  }
}

#' A method or a member of a module.
`$.nn_module` <- function(x, name) {
  self <- attr(x, "module")
  method <- module_methods[[name]]
  if (is.null(method)) self[[name]] else method(self)
}

#' The parameters of a module and of its modules, named like "lin1.weight".
collect_parameters <- function(self) {
  parameters <- list()
  for (name in self[["registered"]]) {
    member <- self[[name]]
    if (inherits(member, "nn_parameter")) {
      parameters[[name]] <- member
    } else {
      found <- member$parameters
      parameters[sprintf("%s.%s", name, names(found))] <- found
    }
  }
  parameters
}

nn_linear <- nn_module(
  "nn_linear",
  initialize = function(in_features, out_features) {
    self$weight <- nn_parameter(torch_empty(out_features, in_features))
    self$bias <- nn_parameter(torch_empty(out_features))
    nn_init_kaiming_uniform_(self$weight, a = sqrt(5))
    bound <- 1 / sqrt(in_features)
    nn_init_uniform_(self$bias, -bound, bound)
  },
  forward = function(input) nnf_linear(input, self$weight, self$bias)
)

nn_dropout <- nn_module(
  "nn_dropout",
  initialize = function(p = 0.5) self$p <- p,
  forward = function(input) if (self$training) nnf_dropout(input, self$p) else input
)

nn_relu <- nn_module(
  "nn_relu",
  initialize = function() NULL,
  forward = function(input) nnf_relu(input)
)

nn_sigmoid <- nn_module(
  "nn_sigmoid",
  initialize = function() NULL,
  forward = function(input) sigmoid(input)
)

#' Modules that are called one after the other, named "0", "1", ...
nn_sequential <- nn_module(
  "nn_sequential",
  initialize = function(...) {
    modules <- list(...)
    for (i in seq_along(modules)) `$<-.nn_Module`(self, as.character(i - 1), modules[[i]])
  },
  forward = function(input) {
    for (name in self[["registered"]]) input <- self[[name]](input)
    input
  }
)
