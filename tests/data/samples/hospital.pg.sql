-- A hospital in two schemas, made up for these tests (public domain): many-to-many diagnoses, histories of
-- prices and of wards, roles of one physician, semi-additive beds, totals that the lines do and do not give.
create schema clinical;
create schema billing;

create table clinical.specialties (
    specialty_code varchar(8) primary key,
    specialty_name varchar(40) not null
);
insert into clinical.specialties values
('CARD', 'Cardiology'), ('ORTH', 'Orthopaedics'), ('PAED', 'Paediatrics'), ('NEUR', 'Neurology');

create table clinical.wards (
    ward_id int primary key,
    ward_name varchar(40) not null,
    building varchar(20) not null,
    beds int not null,
    specialty_code varchar(8) not null references clinical.specialties
);
insert into clinical.wards values
(1, 'Heart One', 'North', 24, 'CARD'), (2, 'Heart Two', 'North', 20, 'CARD'), (3, 'Bones', 'South', 30, 'ORTH'),
(4, 'Children', 'South', 18, 'PAED'), (5, 'Stroke Unit', 'North', 12, 'NEUR');

create table clinical.physicians (
    physician_id int primary key,
    first_name varchar(40) not null,
    last_name varchar(40) not null,
    job_title varchar(40) not null,
    specialty_code varchar(8) not null references clinical.specialties,
    supervisor_id int references clinical.physicians
);
insert into clinical.physicians
select i, (array['Ada', 'Bela', 'Cato', 'Dora', 'Emil', 'Fay'])[1 + i % 6],
    (array['Aas', 'Bohr', 'Cruz', 'Dietz', 'Eco', 'Frank', 'Gore'])[1 + i % 7],
    case when i <= 4 then 'Head of department' else 'Physician' end,
    (array['CARD', 'ORTH', 'PAED', 'NEUR'])[1 + i % 4], case when i > 4 then 1 + i % 4 end
from generate_series(1, 16) i;

create table clinical.patients (
    patient_id int primary key,
    record_number varchar(12) not null unique,
    first_name varchar(40) not null,
    last_name varchar(40) not null,
    birth_date date not null,
    sex char(1) not null,
    city varchar(40) not null,
    country varchar(40) not null,
    general_practitioner_id int references clinical.physicians
);
comment on column clinical.patients.record_number is 'Medical record number, printed on the wristband';
insert into clinical.patients
select i, 'MR' || lpad(i::text, 6, '0'), (array['Ina', 'Jon', 'Kim', 'Leo', 'Mia'])[1 + i % 5],
    (array['Moen', 'Nagy', 'Olsen', 'Popov', 'Quist', 'Rossi', 'Silva', 'Toth'])[1 + i % 8],
    date '1935-01-01' + (i * 7919 % 29000), case when i % 2 = 0 then 'F' else 'M' end,
    (array['Oslo', 'Bergen', 'Malmö', 'Aarhus', 'Turku'])[1 + i * i % 5],
    (array['Norway', 'Norway', 'Sweden', 'Denmark', 'Finland'])[1 + i * i % 5],
    case when i % 3 > 0 then 1 + i % 16 end
from generate_series(1, 300) i;

create table clinical.diagnoses (
    icd_code varchar(8) primary key,
    diagnosis_name varchar(80) not null,
    chapter varchar(60) not null
);
insert into clinical.diagnoses values
('I20', 'Angina pectoris', 'Circulatory system'), ('I21', 'Acute myocardial infarction', 'Circulatory system'),
('I50', 'Heart failure', 'Circulatory system'), ('I63', 'Cerebral infarction', 'Circulatory system'),
('M16', 'Coxarthrosis', 'Musculoskeletal system'), ('M17', 'Gonarthrosis', 'Musculoskeletal system'),
('S72', 'Fracture of femur', 'Injury'), ('J18', 'Pneumonia', 'Respiratory system'),
('J45', 'Asthma', 'Respiratory system'), ('E11', 'Type 2 diabetes', 'Endocrine system');

create table clinical.admissions (
    admission_id int primary key,
    patient_id int not null references clinical.patients,
    ward_id int not null references clinical.wards,
    attending_physician_id int not null references clinical.physicians,
    referring_physician_id int references clinical.physicians,
    admitted_at timestamp not null,
    planned_discharge_date date not null,
    discharged_at timestamp,
    admission_type varchar(20) not null,
    is_emergency boolean not null,
    is_readmission boolean not null,
    has_companion boolean not null,
    was_transferred boolean not null
);
comment on table clinical.admissions is 'Stays in hospital, from the front desk to discharge';
comment on column clinical.admissions.planned_discharge_date is 'Agreed with the patient on the first day';
insert into clinical.admissions
select i, 1 + i * 37 % 300, 1 + (i * 7 + i / 5) % 5, 1 + i * 11 % 16, case when i % 4 > 0 then 1 + i * 13 % 16 end,
    timestamp '2022-01-03 08:00' + i * interval '17 hours 20 minutes' + (i % 7) * interval '3 hours',
    (timestamp '2022-01-03' + i * interval '17 hours 20 minutes')::date + 2 + i % 6,
    case when i <= 1180 then timestamp '2022-01-03 12:00' + i * interval '17 hours 20 minutes' + (1 + i * i % 9) * interval '1 day' end,
    (array['Inpatient', 'Day case', 'Observation'])[1 + i * i % 3], i % 5 = 0, i % 11 = 0, i % 6 = 0, i % 13 = 0
from generate_series(1, 1200) i;

create table clinical.admission_diagnoses (
    admission_id int not null references clinical.admissions,
    icd_code varchar(8) not null references clinical.diagnoses,
    diagnosis_rank int not null,
    primary key (admission_id, icd_code)
);
insert into clinical.admission_diagnoses
select a.i, d.icd_code, row_number() over (partition by a.i order by d.icd_code)
from generate_series(1, 1200) a (i)
inner join (select icd_code, row_number() over (order by icd_code) as n from clinical.diagnoses) d
    on (a.i + d.n) % 6 = 0 or (a.i % 4 = 0 and d.n = 1 + a.i % 10);

create table clinical.lab_tests (
    test_code varchar(10) primary key,
    test_name varchar(40) not null,
    unit varchar(12) not null
);
insert into clinical.lab_tests values ('HB', 'Haemoglobin', 'g/l'), ('CRP', 'C-reactive protein', 'mg/l'), ('NA', 'Sodium', 'mmol/l');
create table clinical.lab_results (
    result_id int primary key,
    admission_id int not null references clinical.admissions,
    test_code varchar(10) not null references clinical.lab_tests,
    sampled_at timestamp not null,
    result_value numeric(8, 2)
);
insert into clinical.lab_results
select i, 1 + i % 1200, (array['HB', 'CRP', 'NA'])[1 + i % 3], timestamp '2022-01-03 09:30' + (1 + i % 1200) * interval '17 hours 20 minutes',
    case when i % 50 > 0 then 90 + i * 7 % 60 + 0.25 end
from generate_series(1, 3000) i;

create table clinical.bed_counts (
    ward_id int not null references clinical.wards,
    counted_on date not null,
    occupied_beds int not null,
    available_beds int not null,
    primary key (ward_id, counted_on)
);
insert into clinical.bed_counts
select w.ward_id, d.day::date, (w.ward_id * 3 + extract(doy from d.day)::int) % w.beds, w.beds - (w.ward_id * 3 + extract(doy from d.day)::int) % w.beds
from clinical.wards w cross join generate_series(date '2024-01-01', date '2024-03-31', interval '1 day') d (day);

create table billing.services (
    service_code varchar(10) primary key,
    service_name varchar(60) not null,
    service_group varchar(30) not null
);
insert into billing.services values
('BED', 'Bed and board', 'Stay'), ('ICU', 'Intensive care', 'Stay'), ('XRAY', 'X-ray', 'Imaging'), ('MRI', 'Magnetic resonance', 'Imaging'),
('SURG', 'Surgery, hour', 'Theatre'), ('PHYS', 'Physiotherapy', 'Therapy'), ('CONS', 'Consultation', 'Therapy');

create table billing.service_prices (
    service_code varchar(10) not null references billing.services,
    valid_from date not null,
    valid_to date,
    unit_price numeric(10, 2) not null,
    price_list varchar(20) not null,
    primary key (service_code, valid_from)
);
comment on table billing.service_prices is 'What a service costs, since when';
insert into billing.service_prices
select service_code, make_date(y, 1, 1), case when y < 2024 then make_date(y, 12, 31) end,
    (length(service_name) * 10 + (y - 2022) * 5)::numeric(10, 2), 'List ' || y
from billing.services cross join generate_series(2022, 2024) y;

create table billing.insurers (
    insurer_id int primary key,
    insurer_name varchar(40) not null,
    insurer_type varchar(20) not null
);
insert into billing.insurers values (1, 'State Fund', 'Public'), (2, 'Nordic Mutual', 'Private'), (3, 'Fjord Life', 'Private'), (4, 'Self-pay', 'None');

create table billing.patient_insurers (
    patient_id int not null references clinical.patients,
    insurer_id int not null references billing.insurers,
    valid_from date not null,
    valid_to date,
    coverage_percent numeric(5, 2) not null,
    primary key (patient_id, insurer_id, valid_from)
);
insert into billing.patient_insurers
select i, 1 + i % 3, date '2020-01-01', null::date, case when i % 3 = 0 then 60 else 100 end from generate_series(1, 300) i
union all select i, 3, date '2021-06-01', null, 40 from generate_series(3, 300, 6) i where i % 3 = 0;

create table billing.invoices (
    invoice_id int primary key,
    admission_id int not null references clinical.admissions,
    insurer_id int not null references billing.insurers,
    invoiced_on date not null,
    due_on date not null,
    status varchar(12) not null,
    net_amount numeric(12, 2) not null,
    reminder_fee numeric(8, 2) not null
);
create table billing.invoice_lines (
    invoice_id int not null references billing.invoices,
    line_no int not null,
    service_code varchar(10) not null references billing.services,
    quantity int not null,
    unit_price numeric(10, 2) not null,
    primary key (invoice_id, line_no)
);
insert into billing.invoices
select i, i, 1 + i % 4, (discharged_at + interval '3 days')::date, (discharged_at + interval '33 days')::date,
    (array['paid', 'paid', 'open', 'reminded'])[1 + i % 4], 0, case when i % 4 = 3 then 15 else 0 end
from clinical.admissions a (i) where discharged_at is not null;
insert into billing.invoice_lines
select v.invoice_id, n, s.service_code, 1 + (v.invoice_id + n) % 4, p.unit_price
from billing.invoices v cross join generate_series(1, 3) n
inner join (select *, row_number() over (order by service_code) as r from billing.services) s on s.r = 1 + (v.invoice_id * 3 + n * 2) % 7
inner join billing.service_prices p on p.service_code = s.service_code and v.invoiced_on between p.valid_from and coalesce(p.valid_to, '9999-12-31');
update billing.invoices i set net_amount = (select coalesce(sum(quantity * unit_price), 0) from billing.invoice_lines l where l.invoice_id = i.invoice_id);

create table billing.payments (
    payment_id int primary key,
    invoice_id int not null references billing.invoices,
    paid_on date not null,
    amount numeric(12, 2) not null,
    payment_method varchar(12) not null
);
insert into billing.payments
select invoice_id, invoice_id, invoiced_on + 20, net_amount + reminder_fee, (array['card', 'transfer', 'cash'])[1 + invoice_id % 3]
from billing.invoices where status = 'paid';

create table billing.audit_log (
    id int primary key,
    table_name varchar(40) not null,
    changed_at timestamp not null,
    changed_by varchar(40) not null
);
insert into billing.audit_log select i, 'invoices', timestamp '2024-01-01' + i * interval '1 hour', 'desk' from generate_series(1, 20) i;
