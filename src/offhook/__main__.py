"""`python -m offhook`: the command line, the supervisor and its processes all begin here."""

from offhook.main import main

if __name__ == "__main__":
    main()
