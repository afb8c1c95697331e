# The imported target A2Q::OpenBLAS, for the build and for the installed
# package. The serial library where it is installed beside others: what calls
# it runs layers in parallel, if at all.
if(NOT TARGET A2Q::OpenBLAS)
  find_library(A2Q_OPENBLAS_LIBRARY NAMES openblas
    PATH_SUFFIXES openblas-serial REQUIRED)
  add_library(A2Q::OpenBLAS UNKNOWN IMPORTED)
  set_target_properties(A2Q::OpenBLAS PROPERTIES
    IMPORTED_LOCATION "${A2Q_OPENBLAS_LIBRARY}")
endif()
