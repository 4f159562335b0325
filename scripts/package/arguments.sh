# shellcheck shell=bash
# Reads the arguments of package.sh and reproduce.sh: architectures, or --help, which prints the comment at the top of the
# script that sources this file.
#
#   source scripts/package/arguments.sh
for argument in "$@"; do
    case $argument in
        x86_64 | aarch64) ;;
        --help)
            sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
            exit
            ;;
        *)
            echo "$(basename "$0" .sh): $argument is none of x86_64, aarch64 (see --help)" >&2
            exit 2
            ;;
    esac
done
