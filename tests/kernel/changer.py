"""A changer for the guest, made by tgt: an arm, two drives and six slots, discs in the first four.

`CHANGER` follows the prologue of a script. It leaves in `$changer` the device file that `mtx` takes, and in `$drives`
how many drives there are. tgt's drives write DVD+R only, and by tracks (`-tao`); what they write is in the disc's
file in `/tmp/discs`, called by its label.
"""

TARGET = "iqn.2026-01.localhost:changer"
DRIVES, SLOTS, DISCS = 2, 6, 4
LABELS = [f"BLANK{number:03}" for number in range(DISCS)]

CHANGER = f"""
modprobe -a iscsi_tcp ch
mkdir -p /tmp/discs /run/tgtd
tgtd
unit() {{ tgtadm --lld iscsi --mode logicalunit --tid 1 "$@"; }}
until_ tgtadm --lld iscsi --mode system --op show >/tmp/tgt.log 2>&1
tgtadm --lld iscsi --mode target --op new --tid 1 --targetname {TARGET}
for label in {" ".join(LABELS)}; do tgtimg --op new --device-type cd --type dvd+r --file "/tmp/discs/$label"; done
for lun in $(seq {DRIVES}); do
    unit --op new --lun "$lun" --backing-store /tmp/discs/BLANK000 --device-type cd
    unit --op update --lun "$lun" --params "vendor_id=TGT,product_id=DRIVE,scsi_sn=TGT$lun,removable=1,online=0"
done
head -c 1024 /dev/zero >/tmp/changer
arm={DRIVES + 1}
unit --op new --lun "$arm" --backing-store /tmp/changer --device-type changer
part() {{ unit --op update --lun "$arm" --params "$1"; }}
part vendor_id=TGT,product_id=CHANGER,scsi_sn=TGTC,media_home=/tmp/discs
part element_type=4,start_address=1,quantity={DRIVES}
for lun in $(seq {DRIVES}); do part "element_type=4,address=$lun,tid=1,lun=$lun"; done
part "element_type=1,start_address=$arm,quantity=1"
part "element_type=2,start_address=$((arm + 1)),quantity={SLOTS}"
slot=$((arm + 1))
for label in {" ".join(LABELS)}; do
    part "element_type=2,address=$slot,barcode=$label,volume_tag=$label,sides=1"
    slot=$((slot + 1))
done
tgtadm --lld iscsi --mode target --op bind --tid 1 --initiator-address ALL
iscsistart -i iqn.2026-01.localhost:guest -t {TARGET} -g 1 -a 127.0.0.1
is_changer() {{ changer=$(grep -l '^8' /sys/class/scsi_generic/*/device/type | cut -d / -f 5); [ -n "$changer" ]; }}
until_ is_changer
changer=/dev/$changer
device_files
"""
