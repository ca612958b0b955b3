# For scripts/quickstart and scripts/check: what cdl needs from Debian, and how it is built.

BUILD_PACKAGES="gcc libc6-dev make cmake pkg-config liblua5.4-dev libedit-dev zlib1g-dev libzip-dev libopenblas0"
TEST_PACKAGES="lua-busted lua-check lua-filesystem python3 python3-numpy dataset-fashion-mnist"

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

# build_program FOLDER OPTION...
build_program() {
    folder=$1
    shift
    cmake -S . -B "$folder" "$@"
    cmake --build "$folder" -j "$(nproc)"
}
