#!/usr/bin/env bash
# Prints the copyright file of the Debian package: the MIT licence in full, and where Debian has the Apache licence.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Formats a text as the continuation lines of a field.
continued() {
    sed 's/^$/./; s/^/ /' "$1"
}

cat <<END
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Source: $(sed -n 's/^repository = "\(.*\)"$/\1/p' Cargo.toml)
Comment: THIRD-PARTY.txt.gz beside this file holds the licences of the libraries in the program.

Files: *
Copyright: $(sed -n 's/^Copyright (c) //p' LICENSE-MIT)
License: MIT or Apache-2.0

License: MIT
$(continued LICENSE-MIT)

License: Apache-2.0
 The full text is in /usr/share/common-licenses/Apache-2.0.
END
