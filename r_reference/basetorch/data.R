# Datasets are lists of tensors and of the rows, counted from 1, that belong to them.

#' All rows of `...`, tensors of as many rows.
tensor_dataset <- function(...) {
  tensors <- list(...)
  structure(list(tensors = tensors, rows = seq_len(tensors[[1]]$shape[1])), class = "dataset")
}

#' The rows `indices` of a dataset, in that order.
dataset_subset <- function(dataset, indices) {
  dataset$rows <- dataset$rows[indices]
  dataset
}

length.dataset <- function(x) length(unclass(x)$rows)

#' Batches in the order of the rows; the last may be short.
dataloader <- function(dataset, batch_size = 1) {
  batch <- ceiling(seq_len(length(dataset)) / batch_size)
  structure(list(dataset = dataset, batches = split(dataset$rows, batch)), class = "dataloader")
}

length.dataloader <- function(x) length(unclass(x)$batches)

#' An iterator at the first batch.
dataloader_make_iter <- function(dataloader) {
  list2env(list(loader = dataloader, position = 0), parent = emptyenv())
}

#' The next batch, a list of tensors, or `completed` after the last.
dataloader_next <- function(iter, completed = NULL) {
  if (iter$position == length(iter$loader)) return(completed)
  iter$position <- iter$position + 1
  rows <- iter$loader$batches[[iter$position]]
  lapply(iter$loader$dataset$tensors, function(x) {
    value <- x[["value"]]
    new_tensor(if (is.matrix(value)) value[rows, , drop = FALSE] else value[rows])
  })
}
