# shellcheck shell=bash
# What package.sh and reproduce.sh take: architectures, or --help, which shows the head of the script that reads this file.
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
