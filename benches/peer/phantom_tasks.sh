# Sourced by scripts that train on phantoms: describes those in $out/raw.

# The tasks file of $out/raw for these tasks: organs with their tumours, on the coarse grids of the
# demo.
phantom_tasks() { # TASK...
    echo 'root = "raw"'
    local task channel spacing folder
    for task in "$@"; do
        if [ "$task" = prostate ]; then
            channel='{ modality = "MR", normalization = "zscore" }'
            spacing='[7.0, 2.5, 2.5]'
        else
            channel='{ modality = "CT", normalization = "clip_-325_325_to_0_1" }'
            spacing='[10.0, 6.0, 6.0]'
        fi
        folder=$(basename "$(echo "$out"/raw/Dataset*_"$task")")
        printf '\n[[task]]\nname = "%s"\ndataset = "%s"\nspacing_zyx_mm = %s\nchannels = [%s]\n' \
            "$task" "$folder" "$spacing" "$channel"
        printf 'labels = ["%s"]\nlabel_map = { "*" = "%s" }\nempty_labels = "keep"\n' "$task" "$task"
        printf 'split = { fraction = 0.2, sorted = true }\n'
    done
}
