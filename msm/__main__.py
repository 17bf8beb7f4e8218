"""`python -m msm` is the command `msm`."""

from msm.cli.main import main

if __name__ == "__main__":
    main()
