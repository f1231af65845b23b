# A program with six helpers: two in its own group, two in sessions of their own, two whose parents have ended as well.
# tree.sh PIPE HELPERS-PIPE COMMAND…
own=$1 helpers=$2
shift 2
for _ in 1 2; do
    "$@" "$helpers" &
    setsid "$@" "$helpers" &
    (setsid "$@" "$helpers" &)
done
exec "$@" "$own"
