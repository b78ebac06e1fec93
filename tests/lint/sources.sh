# Sourced by the lints: moves to the project's root and lists its C++ files.

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cpp_files() {
  find autograd layers optim io examples tests \( -name '*.hpp' -o -name '*.cpp' \) -type f | sort
}
