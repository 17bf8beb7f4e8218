"""Program that runs torchrun, and ends it with its workers when the process that started the program ends."""

from torch.distributed.run import main

from msm.stopping import stop_with_parent

if __name__ == "__main__":
    stop_with_parent()
    main()
