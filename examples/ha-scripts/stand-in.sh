# Read by the four stand-ins: where they keep things, and what they were told to do instead.
#
# MZ_HOME/picos            one line for each pico: name and HA monitor port
# MZ_HOME/run/PICO.pid     the process that plays the pico
# MZ_HOME/answers/VERB-PICO  what VERB does instead of its work: an exit code and a text to print, or
#                          `hang`, `fork-and-hang`, or `flood CODE` (10 MB of output, then CODE)

mz_home=$2

pico_of_port() { awk -v port="$1" '$2 == port { print $1 }' "$mz_home/picos"; }

runs() {
	pid=$(cat "$mz_home/run/$1.pid" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

# answer_instead VERB PICO: does what the answers folder says and ends the script, or returns.
answer_instead() {
	[ -f "$mz_home/answers/$1-$2" ] || return 0
	read -r word text <"$mz_home/answers/$1-$2" || :
	case $word in
	once) # `once 104 text`: this answer is for one call
		rm -f "$mz_home/answers/$1-$2"
		echo "${text#* }"
		exit "${text%% *}" ;;
	hang) exec sleep 3600 ;;
	fork-and-hang)
		sleep 3600 &
		echo $! >"$mz_home/run/$1-child.pid"
		wait ;;
	flood)
		head -c 10000000 /dev/zero | tr '\0' x
		exit "$text" ;;
	*)
		echo "$text"
		exit "$word" ;;
	esac
}
