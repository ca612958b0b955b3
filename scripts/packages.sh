# For scripts/quickstart and scripts/check: what cdl needs from Debian, and how it is built.

BUILD_PACKAGES="gcc libc6-dev make cmake pkg-config liblua5.4-dev libedit-dev zlib1g-dev libzip-dev libjansson-dev libpng-dev libjpeg62-turbo-dev libhdf5-dev libcurl4-openssl-dev libopenblas0"
TEST_PACKAGES="lua-busted lua-check lua-filesystem python3 python3-numpy python3-venv dataset-fashion-mnist"

# install_packages NAME...: those that are not installed yet, without questions.
install_packages() {
    missing=
    for package; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *" installed") ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    root=
    [ "$(id -u)" = 0 ] || root=sudo
    $root apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}

# keras_environment FOLDER: a Python environment with what tests/keras/requirements.txt pins, made
# anew when that file has changed since.
keras_environment() {
    wanted=tests/keras/requirements.txt
    cmp -s "$wanted" "$1/made-from.txt" && return 0
    rm -rf "$1"
    python3 -m venv "$1" &&
        "$1/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted" &&
        cp "$wanted" "$1/made-from.txt"
}

# build_program FOLDER OPTION...
build_program() {
    folder=$1
    shift
    cmake -S . -B "$folder" "$@"
    cmake --build "$folder" -j "$(nproc)"
}
