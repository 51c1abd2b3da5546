#' Training and validation sets: the rows `ids_train` of inputs `x` and targets `y`, in that order,
#' and the remaining rows.
split_data <- function(x, y, ids_train) {
  ds <- tensor_dataset(torch_tensor(x), torch_tensor(matrix(y, ncol = 1)))
  list(
    ds_train = dataset_subset(ds, ids_train),
    ds_valid = dataset_subset(ds, setdiff(seq_len(nrow(x)), ids_train))
  )
}
