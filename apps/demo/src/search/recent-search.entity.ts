import { Column, CreateDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity('recent_searches')
export class RecentSearch {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column('text')
  query!: string;

  @CreateDateColumn()
  at!: Date;
}
