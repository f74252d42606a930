include "kernels.pyx"
