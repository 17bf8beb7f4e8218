"""torchrun as a program that ends with the process that started it, and its workers with it."""

from torch.distributed.run import main

from msm.stopping import stop_with_parent

if __name__ == "__main__":
    stop_with_parent()
    main()
